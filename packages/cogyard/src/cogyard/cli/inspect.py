"""`cog inspect`: what an image holds."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.build import size
from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError
from cogyard.cli.images import summary

if TYPE_CHECKING:
    from cogyard.oci.layout import StoredImage

#: Labels whose value is a document of its own.
_LONG = 72


@click.command(short_help="Show what an image holds.")
@click.argument("image", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print manifest and configuration as JSON.")
@click.option("--schema", "as_schema", is_flag=True, help="Print the model's OpenAPI document only.")
@click.option("--sbom", is_flag=True, help="Print what it holds, as SPDX.")
@click.option(
    "--provenance", is_flag=True, help="Print what it was built from, as an in-toto statement (unsigned)."
)
@click.option("--remote", is_flag=True, help="Look in the image's registry, not on this machine.")
def inspect(
    *, image: str | None, as_json: bool, as_schema: bool, sbom: bool, provenance: bool, remote: bool
) -> None:
    """Show how an image starts, its labels, its layers with their sizes, and what the model takes and gives.

    An image that is not on this machine is looked at in its registry, where it stays. Without IMAGE it is the one that
    `cog build` makes here.
    """
    found = find(image or own_name(), remote=remote)
    if as_schema:
        click.echo(found.config.labels.get("run.cog.openapi_schema") or _no_schema(found))
        return
    if sbom or provenance:
        click.echo(_attached(found, sbom=sbom, remote=remote), nl=False)
        return
    if as_json:
        click.echo(json.dumps(_whole(found), indent=2))
        return
    for line in _described(found):
        click.echo(line)


def find(name: str, *, remote: bool = False) -> StoredImage:
    """Return an image of this machine or of a registry."""
    from cogyard.image.build import local_store
    from cogyard.image.fetch import look_up
    from cogyard.image.platforms import local_platform
    from cogyard.oci.reference import Reference

    architecture = local_platform().partition("/")[2]
    return asyncio.run(look_up(local_store(), Reference.parse(name), architecture, remote=remote))


def own_name() -> str:
    """Return the name of the image that `cog build` makes in the current folder."""
    from cogyard.cli.prepare import open_project
    from cogyard.image.build import default_name

    project = open_project("cog.yaml", Console(quiet=True))
    return project.image or default_name(project)


def _no_schema(image: StoredImage) -> str:
    raise CommandError(
        f"{image.name} does not say what its model takes: it has no label run.cog.openapi_schema"
    )


def _attached(image: StoredImage, *, sbom: bool, remote: bool) -> str:
    """Return a document that is attached to an image of this machine, or of a registry."""
    from cogyard.image.attached import MAX_DOCUMENT
    from cogyard.image.attest import IN_TOTO, SPDX
    from cogyard.image.build import local_store
    from cogyard.image.fetch import pushed_document
    from cogyard.oci.reference import Reference

    store, kind = local_store(), SPDX if sbom else IN_TOTO
    if remote or image.name not in store.names():
        found = asyncio.run(pushed_document(Reference.parse(image.name), image.descriptor.digest, kind))
        if found is not None:
            return found.decode("utf-8", "replace") + "\n"
        raise CommandError(f"nothing of the kind is attached to {image.name} in its registry")
    for descriptor, manifest in store.referrers(image.descriptor.digest):
        if descriptor.artifact_type == kind:
            return store.read(manifest.layers[0].digest, MAX_DOCUMENT).decode() + "\n"
    raise CommandError(
        f"nothing of the kind is attached to {image.name} on this machine",
        hint="`cog build` attaches it, unless it is told --no-attest.",
    )


def _described(image: StoredImage) -> list[str]:
    from cogyard.image.compare import beside_of

    labels, run = image.config.labels, image.config.config
    lines = [image.name, image.descriptor.digest]
    if image.index is not None:
        lines.append(f"one of the platforms of {image.index.digest}")
    layers = image.manifest.layers
    lines.append(
        f"{image.config.os}/{image.config.architecture}, {size(image.manifest.size)} in {len(layers)} layers"
    )
    lines.append(
        f"Python {labels.get('run.cog.python_version', '?')}, Cog {labels.get('run.cog.version', '?')}"
    )
    if run is not None:
        lines.append(f"starts {' '.join([*(run.entrypoint or []), *(run.cmd or [])])}")
    lines += ["", "Layers, lowest first"]
    for layer in layers:
        notes = layer.annotations or {}
        kind, title = notes.get("run.cog.layer", "base"), notes.get("run.cog.layer.title", "")
        lines.append(f"  {layer.digest[7:19]}  {size(layer.size):>9}  {kind:8}  {title}".rstrip())
    if weights := beside_of(image):
        lines += ["", "Weights beside it"]
        lines += [f"  {each.name}  {size(each.size)}  {each.set_digest}" for each in weights]
    if labels:
        lines += ["", "Labels"]
        lines += [f"  {name}  {_shown(value)}" for name, value in sorted(labels.items())]
    for part, title in (("Input", "Inputs"), ("Output", "Output")):
        if found := _fields(labels, part):
            lines += ["", title, *(f"  {line}" for line in found)]
    return lines


def _shown(value: str) -> str:
    if "\n" in value or len(value) > _LONG:
        lines = len(value.splitlines())
        return f"({size(len(value.encode()))}, {lines} line{'' if lines == 1 else 's'})"
    return value


def _whole(image: StoredImage) -> dict[str, Any]:
    from cogyard.image.compare import beside_of
    from cogyard.oci.manifest import encode

    return {
        **summary(image),
        "weights": [
            {"name": each.name, "setDigest": each.set_digest, "size": each.size} for each in beside_of(image)
        ],
        "manifest": json.loads(encode(image.manifest)),
        "config": json.loads(encode(image.config)),
    }


def _fields(labels: dict[str, str], part: str) -> list[str]:
    try:
        schema = json.loads(labels["run.cog.openapi_schema"])["components"]["schemas"][part]
        if part == "Output":
            return [_type(schema)]
        required = schema.get("required", [])
        return [
            f"{name}: {_type(each)}{'' if name in required else ', optional'}  {each.get('description', '')}".rstrip()
            for name, each in schema["properties"].items()
        ]
    except (KeyError, ValueError, TypeError, AttributeError):
        return []


def _type(schema: dict[str, Any]) -> str:
    if schema.get("format") == "uri":
        return "file"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items') or {})}"
    if "allOf" in schema or "enum" in schema:
        return "choice"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    return str(schema.get("type", "any"))
