"""`cog serve`: the model's HTTP API on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError, SilentExitError
from cogyard.cli.model_options import ModelOptions, model_options
from cogyard.cli.options import listening_host

if TYPE_CHECKING:
    from cog_server.runner import Runner
    from cog_server.serving import ServerOptions

    from cogyard.cli.prepare import Prepared
    from cogyard.cli.running import Wish
    from cogyard.project import Project

DEFAULT_PORT = 8393


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the API is served, and what else was asked for."""

    host: str
    port: int
    upload_url: str | None
    reload: bool
    playground: int | None


@click.command(short_help="Serve the model's HTTP API on this machine.")
@click.argument("image", required=False)
@click.option(
    "-p",
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Where to listen; 0 takes any free port.",
)
@listening_host
@click.option(
    "--upload-url", metavar="URL", help="Where output files are sent; into the answer unless given."
)
@click.option(
    "--reload", is_flag=True, help="Restart the model, and only it, when a file of the project changes."
)
@click.option("--playground", is_flag=True, help="Also serve a page to try the model in a browser.")
@click.option(
    "--playground-port",
    type=click.IntRange(0, 65535),
    default=9000,
    show_default=True,
    help="Where that page is; 0 takes any free port.",
)
@model_options
def serve(
    *,
    image: str | None,
    port: int,
    host: str,
    upload_url: str | None,
    reload: bool,
    playground: bool,
    playground_port: int,
    model: ModelOptions,
) -> None:
    """Serve the model's HTTP API until Ctrl-C, as its image does on port 5000: the project of this folder, or IMAGE.

    POST /predictions runs it; GET /openapi.json describes it.
    """
    place = Place(
        host=host,
        port=port,
        upload_url=upload_url,
        reload=reload,
        playground=playground_port if playground else None,
    )
    with model.wish(image=image) as wish:
        _serve(wish, place, Console())


def _serve(wish: Wish, place: Place, console: Console) -> None:
    from cogyard.cli.running import find_model

    if wish.image is None and wish.engine in {"auto", "none"}:
        _project(wish, place, console)
        return
    if place.reload:
        raise MisuseError(
            "--reload watches a project's files, and an image has none that change",
            hint="Leave out the image's name, and --engine (or COG_ENGINE).",
        )
    ready = find_model(wish, console).prepare(console)
    from cogyard.cli.stored import ReadyImage

    if isinstance(ready, ReadyImage):
        _listen(_image_options(ready, place), place, console, what=ready.label)
        return
    from cogyard.cli.contained import ReadyContainer
    from cogyard.cli.serving import serve_container

    if not isinstance(ready, ReadyContainer):
        raise TypeError(type(ready))
    serve_container(ready, place, console)


def _project(wish: Wish, place: Place, console: Console) -> None:
    from cogyard.cli.prepare import open_project, prepare
    from cogyard.cli.running import tell_of_gpus

    project = open_project(wish.filename, console)
    if project.ref is None and project.train_ref is None:
        raise CommandError(f"{wish.filename} names nothing to serve")
    tell_of_gpus(wish, console)
    prepared = prepare(project, console)
    _trace(project, console)
    options = _project_options(prepared, wish, place)
    what = f"environment {prepared.name}"
    if place.reload:
        _listen(options, place, console, what=what, on_runner=_reloading(project, console))
    else:
        _listen(options, place, console, what=what)


def _trace(project: Project, console: Console) -> None:
    """Trace as cog.yaml says, where this machine has what that needs; this process is the server."""
    from importlib.util import find_spec

    from cogyard.project.observability import trace_variables

    wanted = trace_variables(project.config.observability)
    if wanted and find_spec("opentelemetry") is None:
        console.warn(
            f"{project.config_file.name} asks for traces, and OpenTelemetry is not installed here",
            'Install "cogyard-model-server[tracing]"; the model is served without.',
        )
        return
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _project_options(prepared: Prepared, wish: Wish, place: Place) -> ServerOptions:
    from cog_server.__main__ import is_set, trace_header
    from cog_server.serving import ServerOptions

    project = prepared.project
    return ServerOptions(
        python=prepared.environment.python,
        project=project.root,
        ref=project.ref,
        train_ref=project.train_ref,
        host=place.host,
        port=place.port,
        upload_url=place.upload_url,
        concurrency=project.config.concurrency.max,
        setup_timeout=wish.setup_timeout,
        allow_private_inputs=True,
        trace=is_set(os.environ, "COG_TRACE_ENABLED"),
        trace_header=trace_header(os.environ),
        env=prepared.variables(wish.variables),
    )


def _image_options(ready: object, place: Place) -> ServerOptions:
    from cog_server.serving import ServerOptions

    from cogyard.cli.stored import ReadyImage

    assert isinstance(ready, ReadyImage)  # noqa: S101 - the caller has looked
    return ServerOptions(
        python=ready.environment.python,
        project=ready.project,
        ref=ready.found.image.ref,
        host=place.host,
        port=place.port,
        upload_url=place.upload_url,
        concurrency=ready.found.image.slots,
        setup_timeout=ready.found.wish.setup_timeout,
        allow_private_inputs=True,
        env=ready.variables,
    )


def _listen(
    options: ServerOptions,
    place: Place,
    console: Console,
    *,
    what: str,
    on_runner: Callable[[Runner], None] | None = None,
) -> None:
    """Serve until a signal; raise SilentExitError when that ends badly."""
    import dataclasses

    from cog_server.serving import serve as serve_model

    from cogyard.cli.serving import announce

    def listening(address: str) -> None:
        announce(address, place, console, what)

    status = serve_model(dataclasses.replace(options, on_listening=listening, on_runner=on_runner))
    console.say("\nStopped.")
    if status:
        raise SilentExitError(status)


def _reloading(project: Project, console: Console) -> Callable[[Runner], None]:
    """Return what starts to watch once the model runs."""
    from cogyard.cli.reload import Watcher

    def start(runner: Runner) -> None:
        import asyncio

        loop = asyncio.get_running_loop()

        def changed(names: list[str]) -> None:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            if project.config_file.name in names:
                console.warn(
                    f"{project.config_file.name} changed",
                    "Its packages and settings count from the next start of this command.",
                )
            console.say(f"\n{names[0]}{more} changed, restarting the model")
            reason = "The model was restarted, because its source has changed."
            loop.call_soon_threadsafe(runner.restart, reason)

        Watcher(project=project, on_change=changed).start()

    return start
