"""`cog pull`, `cog save` and `cog load`: images that come from elsewhere, and go there without a registry."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogyard.cli.build import Shown, platform_option, size
from cogyard.cli.console import Console
from cogyard.cli.errors import MisuseError

if TYPE_CHECKING:
    from cogyard.oci.layout import ImageStore, StoredImage


@click.command(short_help="Fetch an image from a registry.")
@click.argument("image", metavar="HOST/OWNER/NAME[:TAG]")
@platform_option
def pull(*, image: str, platform: str | None) -> None:
    """Fetch an image into the local store. Layers that are here already are not fetched again."""
    from cogyard.image.build import local_store
    from cogyard.image.fetch import pull as fetch
    from cogyard.oci.reference import Reference

    console, reference = Console(), Reference.parse(image)
    architecture = _architecture(platform)
    with console.working(f"Pulling {reference.familiar}") as step:
        found = asyncio.run(fetch(local_store(), reference, architecture, progress=Shown(console, step)))
    console.done(f"Pulled {found.name} ({size(found.manifest.size)} in {len(found.manifest.layers)} layers)")
    click.echo(found.descriptor.digest)


@click.command(short_help="Write an image into a file.")
@click.argument("image")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Stdout unless given.",
)
def save(*, image: str, output: Path | None) -> None:
    """Write an image as a tar that `cog load`, `docker load`, podman, skopeo and containerd read.

    It is a docker archive and an OCI layout at once.
    """
    from cogyard.image.build import local_store
    from cogyard.oci.reference import Reference

    store = local_store()
    found = store.image(Reference.parse(image))
    if output is not None:
        write(store, found, output)
        Console().done(f"Written {output}")
        return
    if sys.stdout.isatty():
        raise MisuseError(
            "an image is not for a terminal", hint="Say where to: cog save IMAGE -o FILE, or pipe it."
        )
    from cogyard.image.archive import write_archive

    write_archive(store, found, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def write(store: ImageStore, image: StoredImage, output: Path) -> None:
    """Write an image into a file, whole or not at all."""
    from cogyard.image.archive import write_archive

    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("wb") as file:
            write_archive(store, image, file)
        part.replace(output)
    except OSError as error:
        raise MisuseError(f"{output} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


@click.command(short_help="Take images from a file.")
@click.option(
    "-i", "--input", "source", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Stdin unless given.",
)  # fmt: skip
@click.option("-t", "--tag", metavar="NAME", help="The image's name, instead of the one in the file.")
@platform_option
def load(*, source: Path | None, tag: str | None, platform: str | None) -> None:
    """Take every image of a tar into the local store: of `cog save`, `docker save`, `podman save`, or an OCI layout."""
    from cogyard.image.build import local_store
    from cogyard.image.load import load as take
    from cogyard.oci.reference import Reference

    store, name = local_store(), None if tag is None else Reference.parse(tag)
    architecture = _architecture(platform)
    if source is None:
        if sys.stdin.isatty():
            raise MisuseError("an image is not typed", hint="Say where from: cog load -i FILE, or pipe it.")
        loaded = take(store, sys.stdin.buffer, architecture=architecture, tag=name)
    else:
        try:
            file = source.open("rb")
        except OSError as error:
            raise MisuseError(f"{source} cannot be read: {error.strerror}") from None
        with file:
            loaded = take(store, file, architecture=architecture, tag=name)
    console = Console()
    for reference in loaded:
        console.done(f"Loaded {reference.familiar}")
        click.echo(reference.familiar)


def _architecture(platform: str | None) -> str:
    from cogyard.image.platforms import local_platform

    system, _, architecture = (platform or local_platform()).partition("/")
    if system != "linux" or not architecture:
        raise MisuseError(f"--platform is linux/ARCH, such as linux/amd64, not {platform!r}")
    return architecture
