"""`cog images` and `cog inspect`: what the local store holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.build import size
from cogyard.cli.console import Console

if TYPE_CHECKING:
    from cogyard.oci.layout import ImageStore, StoredImage


@click.command(short_help="List the images built here.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--prune", is_flag=True, help="Remove what no image of the list uses any more.")
def images(*, as_json: bool, prune: bool) -> None:
    """List the images of the local store."""
    from cogyard.image.build import local_store
    from cogyard.oci.errors import OciError
    from cogyard.oci.reference import Reference

    console, store = Console(), local_store()
    if prune:
        console.done(f"{size(store.prune())} came free")
    found: list[StoredImage] = []
    for name in store.names():
        try:
            found.append(store.image(Reference.parse(name)))
        except OciError as error:
            console.warn(f"{name}: {error.message}")
    if as_json:
        click.echo(json.dumps([_summary(each) for each in found], indent=2))
        return
    rows = [(each.name, each.descriptor.digest[7:19], size(each.manifest.size)) for each in found]
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, digest, amount in rows:
        click.echo(f"{name:{width}}  {digest}  {amount}")
    if not rows:
        console.say("There are no images yet. `cog build` makes one.")


@click.command(short_help="Show what an image holds.")
@click.argument("image", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print manifest and configuration as JSON.")
def inspect(*, image: str | None, as_json: bool) -> None:
    """Show what an image of the local store holds: how it starts, its layers, its inputs."""
    from cogyard.image.build import default_name, local_store
    from cogyard.oci.reference import Reference

    if image is None:
        from cogyard.cli.prepare import open_project

        project = open_project("cog.yaml", Console(quiet=True))
        image = project.image or default_name(project)
    store = local_store()
    found = store.image(Reference.parse(image))
    if as_json:
        click.echo(json.dumps(_whole(store, found), indent=2))
        return
    labels = found.config.labels
    click.echo(f"{found.name}\n{found.descriptor.digest}")
    click.echo(f"{found.config.os}/{found.config.architecture}, {size(found.manifest.size)}")
    click.echo(
        f"Python {labels.get('run.cog.python_version', '?')}, Cog {labels.get('run.cog.version', '?')}"
    )
    if found.config.config is not None:
        start = [*(found.config.config.entrypoint or []), *(found.config.config.cmd or [])]
        click.echo(f"starts {' '.join(start)}")
    click.echo("\nLayers, lowest first")
    for layer in found.manifest.layers:
        notes = layer.annotations or {}
        kind = notes.get("run.cog.layer", "base")
        title = notes.get("run.cog.layer.title", "")
        click.echo(f"  {layer.digest[7:19]}  {size(layer.size):>9}  {kind:8}  {title}".rstrip())
    if inputs := _inputs(labels):
        click.echo("\nInputs")
        for line in inputs:
            click.echo(f"  {line}")


def _summary(image: StoredImage) -> dict[str, Any]:
    return {"name": image.name, "digest": image.descriptor.digest, "size": image.manifest.size}


def _whole(store: ImageStore, image: StoredImage) -> dict[str, Any]:
    return {
        **_summary(image),
        "manifest": json.loads(store.read(image.descriptor.digest)),
        "config": json.loads(store.read(image.manifest.config.digest)),
    }


def _inputs(labels: dict[str, str]) -> list[str]:
    try:
        schema = json.loads(labels["run.cog.openapi_schema"])
        properties = schema["components"]["schemas"]["Input"]["properties"]
        return [
            f"{name}: {each.get('type', 'any')}  {each.get('description', '')}".rstrip()
            for name, each in properties.items()
        ]
    except (KeyError, ValueError, TypeError, AttributeError):
        return []
