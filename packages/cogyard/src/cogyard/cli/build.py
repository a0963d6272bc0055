"""`cog build`: make an image, with no container engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogyard.cli.console import Console, Step
from cogyard.cli.errors import MisuseError
from cogyard.cli.options import Decorator, config_file

if TYPE_CHECKING:
    from cogyard.image.build import BuiltImage
    from cogyard.oci.layout import ImageStore

base_option: Decorator = click.option(
    "--base",
    metavar="BASE",
    help="The base image: a name (python:3.13-slim), a folder that is an OCI layout, a tar, or `assemble` to make one "
    "from Debian's packages. Without it: python:X.Y-slim, or assembled where no registry can be reached.",
)
platform_option: Decorator = click.option(
    "--platform", metavar="OS/ARCH", help="linux/amd64 or linux/arm64; this machine's unless given."
)
refresh_option: Decorator = click.option(
    "--no-cache", "refresh", is_flag=True, help="Look up the base and the packages again, for newer ones."
)


@click.command(short_help="Make an image, with no container engine.")
@click.option(
    "-t", "--tag", metavar="NAME", help="The image's name; cog-FOLDER unless given here or in cog.yaml."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the image as a tar for `docker load`, podman or skopeo.",
)
@base_option
@platform_option
@refresh_option
@click.option(
    "--openapi-schema",
    "schema_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The model's OpenAPI document, instead of the one read from the source.",
)
@click.option(
    "--load/--no-load", default=None, help="Give the image to Docker; done unless told not to, where it runs."
)
@config_file
def build(
    *,
    tag: str | None,
    output: Path | None,
    base: str | None,
    platform: str | None,
    refresh: bool,
    schema_file: Path | None,
    load: bool | None,
    filename: str,
) -> None:
    """Make an image of the model, with no container engine and without root.

    The image goes into the local store (`cog images`), and into Docker where it runs on this machine.
    """
    from cogyard.image.build import local_store

    console = Console()
    store = local_store()
    built = build_image(
        console,
        store,
        filename,
        tag=tag,
        base=base,
        platform=platform,
        refresh=refresh,
        schema_file=schema_file,
    )
    if output is not None:
        from cogyard.cli.archive import write

        write(store, store.image(built.reference), output)
        console.done(f"Written {output}")
    if load is not False:
        _load(console, store, built, wanted=load is True)
    click.echo(built.digest)


def build_image(
    console: Console,
    store: ImageStore,
    filename: str,
    *,
    tag: str | None,
    base: str | None,
    platform: str | None,
    refresh: bool,
    schema_file: Path | None = None,
) -> BuiltImage:
    """Build the project of the current folder, saying how it goes."""
    from cogyard.cli.prepare import open_project
    from cogyard.image.build import build as build_project
    from cogyard.image.build import default_name

    project = open_project(filename, console)
    name = tag or project.image or default_name(project)
    with console.working(f"Building {name}") as step:
        built = build_project(
            project,
            tag=tag,
            store=store,
            base=base,
            platform=platform,
            schema=_schema(schema_file),
            refresh=refresh,
            progress=Shown(console, step),
        )
    console.done(f"Built {built.reference.familiar} ({size(built.size)} in {_layers(built)})")
    return built


class Shown:
    """Progress on a console: finished steps as lines, the rest beside the moving one."""

    def __init__(self, console: Console, step: Step) -> None:
        self._console = console
        self._step = step

    def done(self, text: str) -> None:
        """Show a finished step."""
        self._console.done(text)

    def detail(self, text: str) -> None:
        """Show what goes on, where there is a moving line for it."""
        if self._console.terminal:
            self._step.detail(text)

    def warn(self, text: str) -> None:
        """Show a warning."""
        self._console.warn(text)


def size(number: int) -> str:
    """Return bytes as people read them."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number} bytes"


def _layers(built: BuiltImage) -> str:
    count = len(built.base.layers) + len(built.layers)
    return f"{count} layers"


def _schema(path: Path | None) -> dict[str, object] | None:
    if path is None:
        return None
    import json

    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MisuseError(f"--openapi-schema {path} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise MisuseError(f"--openapi-schema {path} holds no JSON object")
    return document


def _load(console: Console, store: ImageStore, built: BuiltImage, *, wanted: bool) -> None:
    from cogyard.image.engine import EngineError, find_engine

    engine = find_engine(os.environ)
    if engine is None:
        if wanted:
            raise EngineError(
                "no Docker engine answers on this machine", hint="Start it, or build without --load."
            )
        return
    try:
        loaded = engine.load(store, store.image(built.reference))
    except EngineError as error:
        if wanted:
            raise
        console.warn(error.message)
        return
    name = built.reference.familiar
    console.done(f"Loaded into Docker as {name}" if loaded else f"Docker has {name} already")
