"""`cog build`: make an image, with a container engine only for what needs one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from cogyard.cli.builders import builder_option, means_of, secret_option
from cogyard.cli.console import Console, Step
from cogyard.cli.errors import MisuseError
from cogyard.cli.options import Decorator, config_file

if TYPE_CHECKING:
    from cogyard.engine import Client
    from cogyard.image.build import BuiltImage
    from cogyard.image.steps.engine import Means
    from cogyard.oci.layout import ImageStore
    from cogyard.project import Project

attest_option: Decorator = click.option(
    "--attest/--no-attest",
    default=True,
    show_default=True,
    help="Attach the image's contents (SPDX) and what it was built from (SLSA provenance); neither is signed.",
)
base_option: Decorator = click.option(
    "--base",
    metavar="BASE",
    help="The base image: a name (python:3.13-slim), a folder that is an OCI layout, a tar, or `assemble` to make one "
    "from Debian's or Ubuntu's packages (assemble:noble for a release). Without it: python:X.Y-slim, or assembled "
    "where no registry can be reached.",
)
platform_option: Decorator = click.option(
    "--platform",
    metavar="OS/ARCH",
    help="linux/amd64, linux/arm64, or both with a comma; this machine's unless given.",
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
@builder_option
@secret_option
@base_option
@platform_option
@refresh_option
@attest_option
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
    load: bool | None,
    filename: str,
    **asked: Any,
) -> None:
    """Make an image of the model, with no container engine and without root.

    The image goes into the local store (`cog images`), and into Docker where it runs on this machine. Commands of `run`
    in cog.yaml, and system packages that set themselves up by scripts, need an engine: Docker or podman.
    """
    from cogyard.image.build import local_store

    console = Console()
    store = local_store()
    built = build_image(console, store, filename, Wish(tag=tag, **asked))
    if output is not None:
        from cogyard.cli.archive import write

        write(store, [store.image(built.reference)], output)
    if load is not False:
        _load(console, store, built, wanted=load is True)
    click.echo(built.digest)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line; the names are those of the options."""

    tag: str | None = None
    base: str | None = None
    platform: str | None = None
    refresh: bool = False
    schema_file: Path | None = None
    builder: str = "auto"
    secrets: tuple[str, ...] = ()
    attest: bool = True
    engine: Client | None = None
    """The engine that is to run the image; it runs its steps, too."""


def build_image(
    console: Console,
    store: ImageStore,
    filename: str,
    wish: Wish,
    *,
    project: Project | None = None,
    allowed: Callable[[], None] = lambda: None,
) -> BuiltImage:
    """Build the project of the current folder, saying how it goes; what `allowed` raises ends it before any work.

    `project` is that project where it was opened already, with its warnings said.
    """
    from cogyard.cli.prepare import model_schema, open_project
    from cogyard.image.build import build as build_project
    from cogyard.image.build import default_name

    project = project or open_project(filename, console)
    if wish.schema_file is not None:
        allowed()
    name = wish.tag if wish.tag is not None else project.image or default_name(project)
    schema = _schema(wish.schema_file) or model_schema(project, console, allowed=allowed)
    with (
        means_of(wish.builder, wish.secrets, wish.engine) as means,
        console.working(f"Building {name}") as step,
    ):
        _tell_of_secrets(console, project, means)
        built = build_project(
            project,
            tag=wish.tag,
            store=store,
            base=wish.base,
            platform=wish.platform,
            schema=schema,
            refresh=wish.refresh,
            progress=Shown(console, step),
            means=means,
            attest=wish.attest,
        )
    console.done(f"Built {built.reference.familiar} ({size(built.size)} in {_layers(built)})")
    return built


def _tell_of_secrets(console: Console, project: Project, means: Means) -> None:
    """Warn of a secret that steps read from a file of the project: all of those go into the image."""
    from cogyard.project.ignore import packed_among

    for name in packed_among(project, means.secrets.values()):
        console.warn(
            f"the secret file {name} is one of the project's, so everybody who has the image has it",
            "Put it elsewhere, or name it in .dockerignore.",
        )


class Shown:
    """Progress on a console: finished steps as lines, the rest beside the moving one."""

    def __init__(self, console: Console, step: Step) -> None:
        self._console = console
        self._step = step

    def done(self, text: str) -> None:
        """Show a finished step; what the moving line said may have been about it."""
        self._console.done(text)
        self.detail("")

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
    platforms = " and ".join(each.platform for each in built.images)
    return f"{count} layers" if len(built.images) == 1 else f"{count} layers, for {platforms}"


def _schema(path: Path | None) -> Mapping[str, Any] | None:
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
