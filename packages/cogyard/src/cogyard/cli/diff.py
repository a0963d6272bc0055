"""`cog diff`: what changes for callers, in packages and in layers, from one image to another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.build import size
from cogyard.cli.console import GREEN, RED, YELLOW, Console
from cogyard.cli.errors import SilentExitError

if TYPE_CHECKING:
    from cogyard.image.compare import Difference, PackageChange, WeightsChange
    from cogyard.oci.descriptor import Descriptor


@click.command(short_help="Compare two images: schema, packages, layers.")
@click.argument("old")
@click.argument("new", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--strict", is_flag=True, help="End with 1 when the new schema breaks callers of the old one.")
def diff(*, old: str, new: str | None, as_json: bool, strict: bool) -> None:
    """Compare image OLD with NEW: does the schema break callers and why, which packages changed, which layers are new.

    Images are those of this machine, or else of their registry. With one name it is compared with itself: the one that
    is pushed with the one that is here.
    """
    from cogyard.cli.inspect import find
    from cogyard.image.compare import difference

    before = find(old, remote=new is None)
    found = difference(before, find(new or old))
    if as_json:
        click.echo(json.dumps(_plain(found), indent=2))
    else:
        for line in described(found, Console()):
            click.echo(line)
    if strict and found.breaking:
        raise SilentExitError(1)


def described(found: Difference, console: Console) -> Iterator[str]:
    """Yield the lines that say what differs."""
    if found.schema is None:
        yield "Schema: cannot be compared, for one of the images has none"
    elif not found.schema:
        yield "Schema: the same for callers"
    else:
        yield f"Schema: {'breaks callers' if found.breaking else 'changed, and every caller still fits'}"
        for change in found.schema:
            mark = console.paint("✗", RED) if change.breaking else console.paint("·", YELLOW)
            yield f"  {mark} {change}"
    yield f"Packages: {_count(found.packages)}"
    for package in found.packages:
        yield f"  {_package(package, console)}"
    if found.weights:
        yield f"Weights: {_count(found.weights)}"
    for each in found.weights:
        yield f"  {_one_weights(each, console)}"
    yield (
        f"Layers: {len(found.shared)} shared ({_sum(found.shared)}), {len(found.added)} new ({_sum(found.added)}), "
        f"{len(found.removed)} gone ({_sum(found.removed)})"
    )
    for mark, colour, layers in (("+", GREEN, found.added), ("-", RED, found.removed)):
        for layer in layers:
            yield f"  {console.paint(mark, colour)} {_layer(layer)}"


def _count(changes: Sequence[PackageChange | WeightsChange]) -> str:
    if not changes:
        return "the same"
    added = sum(each.old is None for each in changes)
    removed = sum(each.new is None for each in changes)
    return f"{added} added, {removed} removed, {len(changes) - added - removed} changed"


def _one_weights(change: WeightsChange, console: Console) -> str:
    old, new = (
        None if each is None else f"{each.set_digest[7:19]} ({size(each.size)})"
        for each in (change.old, change.new)
    )
    if old is None:
        return f"{console.paint('+', GREEN)} {change.name} {new}"
    if new is None:
        return f"{console.paint('-', RED)} {change.name} {old}"
    return f"{console.paint('~', YELLOW)} {change.name} {old}, now {new}"


def _package(change: PackageChange, console: Console) -> str:
    if change.old is None:
        return f"{console.paint('+', GREEN)} {change.name} {change.new}"
    if change.new is None:
        return f"{console.paint('-', RED)} {change.name} {change.old}"
    return f"{console.paint('~', YELLOW)} {change.name} {change.old}, now {change.new}"


def _layer(layer: Descriptor) -> str:
    notes = layer.annotations or {}
    words = (notes.get("run.cog.layer", "base"), notes.get("run.cog.layer.title", ""))
    return f"{layer.digest[7:19]}  {size(layer.size):>9}  {words[0]:8}  {words[1]}".rstrip()


def _sum(layers: tuple[Descriptor, ...]) -> str:
    return size(sum(each.size for each in layers))


def _plain(found: Difference) -> dict[str, Any]:
    changes = found.schema
    return {
        "breaking": found.breaking,
        "schema": None
        if changes is None
        else [
            {
                "where": each.where,
                "what": each.what,
                "old": each.old,
                "new": each.new,
                "breaking": each.breaking,
            }
            for each in changes
        ],
        "weights": [
            {
                "name": each.name,
                "old": each.old and each.old.set_digest,
                "new": each.new and each.new.set_digest,
            }
            for each in found.weights
        ],
        "packages": [{"name": each.name, "old": each.old, "new": each.new} for each in found.packages],
        "layers": {
            name: [{"digest": each.digest, "size": each.size} for each in layers]
            for name, layers in (("shared", found.shared), ("added", found.added), ("removed", found.removed))
        },
    }
