"""`cog pull`, `cog save` and `cog load`: images that come from elsewhere, and go there without a registry."""

from __future__ import annotations

import asyncio
import errno
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from cogyard.cli.build import Shown, platform_option, size
from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError
from cogyard.cli.options import Decorator
from cogyard.cli.whole import whole

if TYPE_CHECKING:
    from cogyard.image.carried import Beside
    from cogyard.image.load import Loaded
    from cogyard.oci.layout import ImageStore, StoredImage
    from cogyard.oci.reference import Reference

weights_option: Decorator = click.option(
    "--no-weights", "weights", flag_value=False, default=True, help="Leave the weights beside the image out."
)


@click.command(short_help="Fetch an image from a registry.")
@click.argument("image", metavar="HOST/OWNER/NAME[:TAG]")
@platform_option
def pull(*, image: str, platform: str | None) -> None:
    """Fetch an image into the local store. Layers that are here already are not fetched again."""
    from cogyard.image.build import local_store
    from cogyard.image.compare import beside_of
    from cogyard.image.fetch import pull as fetch
    from cogyard.oci.reference import Reference

    console, reference = Console(), Reference.parse(image)
    architecture = _architecture(platform)
    with console.working(f"Pulling {reference.familiar}") as step:
        found = asyncio.run(fetch(local_store(), reference, architecture, progress=Shown(console, step)))
    weights = "".join(f", and the weights {each.name} ({size(each.size)})" for each in beside_of(found))
    layers = f"{size(found.manifest.size)} in {len(found.manifest.layers)} layers"
    console.done(f"Pulled {found.name} ({layers}{weights})")
    click.echo(found.descriptor.digest)


@click.command(short_help="Write images into a file.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Stdout unless given.",
)
@weights_option
@click.option(
    "--platform",
    metavar="OS/ARCH",
    help="Of an image for several platforms, this one; this machine's unless given.",
)
def save(*, images: tuple[str, ...], output: Path | None, weights: bool, platform: str | None) -> None:
    """Write images as a tar that `cog load`, `docker load`, podman, skopeo and containerd read.

    It is a docker archive and an OCI layout at once; layers that several images share are in it once. Weights that come
    beside an image are in it, and what is attached to it; only `cog load` gives them back.
    """
    from cogyard.image.build import local_store
    from cogyard.oci.reference import Reference

    store = local_store()
    references = dict.fromkeys(Reference.parse(image) for image in images)
    found = [_chosen(store, reference, platform) for reference in references]
    if output is not None:
        write(store, found, output, weights=weights)
        return
    if sys.stdout.isatty():
        raise MisuseError(
            "an image is not for a terminal", hint="Say where to: cog save IMAGE -o FILE, or pipe it."
        )
    _write(store, found, sys.stdout.buffer, weights=weights)
    sys.stdout.buffer.flush()


def _chosen(store: ImageStore, reference: Reference, platform: str | None) -> StoredImage:
    """Return the image for a platform; say so where it is one of several that nobody chose from."""
    there = {f"{each.config.os}/{each.config.architecture}": each for each in store.images(reference)}
    names = " and ".join(there)
    if platform is not None and platform not in there:
        raise MisuseError(f"{reference.familiar} is not there for {platform}", hint=f"It is for {names}.")
    found = there[platform] if platform is not None else store.image(reference)
    if platform is None and len(there) > 1:
        own = f"{found.config.os}/{found.config.architecture}"
        Console().warn(
            f"{reference.familiar} is for {names}; the file gets {own}",
            "--platform names another, a push sends all.",
        )
    return found


def write(store: ImageStore, images: Sequence[StoredImage], output: Path, *, weights: bool = True) -> None:
    """Write images into a file, whole or not at all, and say so."""
    try:
        with whole(output) as file:
            beside = _write(store, images, file, weights=weights)
    except BrokenPipeError:
        raise  # who reads the pipe has gone, as behind `| head`
    except OSError as error:
        kind = CommandError if error.errno in {errno.ENOSPC, errno.EDQUOT} else MisuseError
        raise kind(f"{output} cannot be written: {error.strerror}") from None
    word = "with" if weights else "without"
    sets = {each.set_digest: each for one in beside for each in one.weights}
    names = [f"{each.name} ({size(each.size)})" for each in sets.values()]
    Console().done(f"Written {output}" + (f", {word} the weights {', '.join(names)}" if names else ""))


def _write(
    store: ImageStore, images: Sequence[StoredImage], out: IO[bytes], *, weights: bool
) -> list[Beside]:
    from cogyard.image.archive import write_archive_of
    from cogyard.image.carried import Beside
    from cogyard.weights.kept import local_files

    files = local_files() if weights else None
    beside = [Beside.of(store, image, files) for image in images]
    write_archive_of(store, list(zip(images, beside, strict=True)), out)
    return beside


@click.command(short_help="Take images from a file.")
@click.argument("archive", required=False, type=click.Path(path_type=Path, dir_okay=False), metavar="[FILE]")
@click.option(
    "-i", "--input", "source", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="The same as FILE. Stdin unless one is given.",
)  # fmt: skip
@click.option("-t", "--tag", metavar="NAME", help="The image's name, instead of the one in the file.")
@platform_option
def load(*, archive: Path | None, source: Path | None, tag: str | None, platform: str | None) -> None:
    """Take every image of a tar into the local store: of `cog save`, `docker save`, `podman save`, or an OCI layout.

    Weights that an archive of `cog save` has are kept on this machine, ready to run and to be pushed.
    """
    from cogyard.image.build import local_store
    from cogyard.image.load import load as take
    from cogyard.oci.reference import Reference
    from cogyard.weights.kept import local_files

    if archive is not None and source is not None:
        raise MisuseError(
            f"{archive} and -i {source} are two files, and one is loaded at a time",
            hint="Load each by itself.",
        )
    source = archive or source
    store, name = local_store(), None if tag is None else Reference.parse(tag)
    architecture = _architecture(platform)
    with _opened(source) as file, _naming(source):
        loaded = take(store, file, architecture=architecture, tag=name, files=local_files())
    console = Console()
    for each in loaded:
        console.done(f"Loaded {each.reference.familiar}")
        _tell(console, each)
        click.echo(each.reference.familiar)


@contextmanager
def _opened(source: Path | None) -> Iterator[IO[bytes]]:
    """Open a file, or take what is piped. Raises MisuseError."""
    if source is None:
        if sys.stdin.isatty():
            raise MisuseError("an image is not typed", hint="Say where from: cog load FILE, or pipe it.")
        yield sys.stdin.buffer
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise MisuseError(f"{source} cannot be read: {error.strerror}") from None
    with file:
        yield file


@contextmanager
def _naming(source: Path | None) -> Iterator[None]:
    """Say of what is wrong with an archive which one it is: a script may load many."""
    from cogyard.image.errors import ImageError
    from cogyard.oci.errors import OciError
    from cogyard.weights.errors import WeightsError

    try:
        yield
    except (ImageError, OciError, WeightsError) as error:
        raise CommandError(f"{source or 'stdin'}: {error.message}", hint=error.hint) from error


def _tell(console: Console, loaded: Loaded) -> None:
    """Say which weights came along, and which did not."""
    lacking = {each.name for each in loaded.carried.lacking}
    for each in loaded.carried.weights:
        if each.name not in lacking:
            console.say(f"  with the weights {each.name} for {each.target} ({size(each.size)})")
    if lacking:
        console.warn(
            f"the archive was written without the weights {', '.join(sorted(lacking))}, and they are not here",
            f"`cog pull {loaded.reference.familiar}` fetches them from a registry that has them, "
            "`cog weights import` in the project makes them.",
        )


def _architecture(platform: str | None) -> str:
    from cogyard.image.platforms import local_platform

    system, _, architecture = (platform or local_platform()).partition("/")
    if system != "linux" or not architecture:
        raise MisuseError(f"--platform is linux/ARCH, such as linux/amd64, not {platform!r}")
    return architecture
