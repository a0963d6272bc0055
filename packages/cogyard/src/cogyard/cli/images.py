"""`cog images`, `cog rmi` and `cog gc`: what the local store holds, and how it holds less."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.build import size
from cogyard.cli.console import Console
from cogyard.cli.errors import MisuseError

if TYPE_CHECKING:
    from cogyard.oci.layout import ImageStore, StoredImage


@click.command(short_help="List the images on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the names only.")
@click.option(
    "--prune", is_flag=True, help="Remove what no image of the list uses any more, as `cog gc` does."
)
def images(*, as_json: bool, quiet: bool, prune: bool) -> None:
    """List the images of the local store, with their sizes and, where they say it, when they were made.

    Those of `cog build` say no time: the same project is the same bytes. SOURCE_DATE_EPOCH gives them one.
    """
    from cogyard.image.build import local_store

    console, store = Console(), local_store()
    if prune:
        console.done(f"{size(store.prune())} came free")
    found = _all(console, store)
    if as_json:
        click.echo(json.dumps([summary(each) for each in found], indent=2))
        return
    if quiet:
        for each in found:
            click.echo(each.name)
        return
    now = datetime.now(UTC)
    table = [
        (each.name, _named(each)[7:19], size(each.manifest.size), age(each.config.created, now))
        for each in found
    ]
    for row in _aligned([("NAME", "DIGEST", "SIZE", "CREATED"), *table] if table else []):
        click.echo(row)
    if table:
        console.say(f"{size(_together(found))} in all; layers of several images are kept once")
    else:
        console.say("There are no images yet. `cog build` makes one, `cog pull` fetches one.")


@click.command(short_help="Remove images from this machine.")
@click.argument("names", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--no-prune", is_flag=True, help="Keep the layers; `cog gc` removes them.")
def rmi(*, names: tuple[str, ...], no_prune: bool) -> None:
    """Remove images from the local store, and the layers that no other image of it uses.

    An image is named, or said by how its digest begins, where it has one name only. What has been pushed stays where it
    is.
    """
    from cogyard.image.build import local_store
    from cogyard.oci.errors import StoreBusyError
    from cogyard.oci.reference import Reference

    console, store = Console(), local_store()
    # All are looked up before the first is removed: a mistake in the last name must not cost the others.
    chosen = [Reference.parse(_one_name(store, name)) for name in names]
    for reference in chosen:
        store.untag(reference)
        console.done(f"Removed {reference.familiar}")
    if no_prune:
        return
    try:
        console.done(f"{size(store.prune())} came free")
    except StoreBusyError as error:
        console.warn(error.message, error.hint)


@click.command(short_help="Remove layers that no image uses.")
@click.option("--downloads", is_flag=True, help="Remove downloaded wheels and packages too.")
def gc(*, downloads: bool) -> None:
    """Remove what no image of this machine uses: layers, unpacked layers, and what ended commands left half-written.

    Images stay, and weights that an image has or that were used in the last thirty days. With --downloads the next
    build fetches its packages again.
    """
    from cogyard.environment import cache_dir
    from cogyard.image.build import local_store
    from cogyard.image.garbage import empty, unpacked_layers, unused_weights
    from cogyard.weights.kept import local_files

    console, store = Console(), local_store()
    freed = store.prune()
    freed += unpacked_layers(cache_dir() / "layers", store)
    freed += unused_weights(local_files(), store)
    if downloads:
        freed += empty(cache_dir() / "downloads")
    console.done(f"{size(freed)} came free")


def _one_name(store: ImageStore, text: str) -> str:
    """Return the name of an image; a digest does not say which of several names is to go.

    Raises MisuseError then.
    """
    from cogyard.oci.reference import Reference

    found = store.image(Reference.parse(text))
    same = sorted(name for name, each in store.names().items() if each.digest == _named(found))
    if found.name != Reference.parse(text).familiar and len(same) > 1:
        raise MisuseError(
            f"the image {text} has {len(same)} names: {', '.join(same[:10])}", hint="Say which."
        )
    return found.name


def summary(image: StoredImage) -> dict[str, Any]:
    """Return an image for machines."""
    return {
        "name": image.name,
        "digest": _named(image),
        "size": image.manifest.size,
        "created": image.config.created,
    }


def _named(image: StoredImage) -> str:
    return (image.index or image.descriptor).digest


def age(created: str | None, now: datetime) -> str:
    """Say how long ago a moment was. Builds that can be repeated have no time of their own."""
    try:
        moment = datetime.fromisoformat(created or "")
    except ValueError:
        return "-"
    if moment.tzinfo is None or moment.year < 1981:
        return "-"
    seconds = max(0, int((now - moment).total_seconds()))
    for length, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = seconds // length
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def _all(console: Console, store: ImageStore) -> list[StoredImage]:
    from cogyard.oci.errors import OciError
    from cogyard.oci.reference import Reference

    found = []
    for name in store.names():
        try:
            found.append(store.image(Reference.parse(name)))
        except OciError as error:
            console.warn(f"{name}: {error.message}")
    return found


def _together(found: Sequence[StoredImage]) -> int:
    blobs = {
        each.digest: each.size for image in found for each in [image.manifest.config, *image.manifest.layers]
    }
    return sum(blobs.values())


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
