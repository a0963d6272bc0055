"""`cog playground`: try the model in a browser."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError
from cogyard.cli.model_options import ModelOptions, model_options
from cogyard.cli.options import listening_host
from cogyard.cli.run import run_async

if TYPE_CHECKING:
    import uvicorn

    from cogyard.cli.playing import Playground
    from cogyard.cli.running import RunningModel, Wish

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound


@click.command(short_help="Try the model on a page in the browser.")
@click.argument("image", required=False)
@click.option(
    "-p",
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the page is; any free port unless given.",
)
@listening_host
@click.option(
    "--target",
    metavar="URL",
    help="A model that is served already, such as http://localhost:8393; nothing is started then.",
)
@click.option("--no-open", is_flag=True, help="Only say where the page is; open no browser.")
@model_options
def playground(
    *,
    image: str | None,
    port: int,
    host: str,
    target: str | None,
    no_open: bool,
    model: ModelOptions,
) -> None:
    """Show a page to try the model in a browser: the project of this folder, or IMAGE, or one that is served already.

    The form is made from the model's inputs; text appears as it comes. The page loads nothing from elsewhere.
    """
    if target is not None and image is not None:
        raise MisuseError("an image and --target cannot be used together")
    if target is not None and not target.startswith(("http://", "https://")):
        raise MisuseError(f"--target {target} is not an address", hint="For example: http://localhost:8393")
    console = Console()
    with model.wish(image=image) as wish, listen(host, port) as listener:
        try:
            run_async(_play(wish, target, listener, console, browser=not no_open and sys.stderr.isatty()))
        except KeyboardInterrupt:
            console.say("\nStopped.")


def listen(host: str, port: int) -> socket.socket:
    """Take the page's address before a model is loaded for nothing. Raises CommandError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise CommandError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            hint="Choose another port, or stop what is using it.",
        ) from error


def serve_page(listener: socket.socket, target: str) -> None:
    """Serve the page for a model at an address, until the process ends; for a thread of its own."""
    with tempfile.TemporaryDirectory(prefix="cog-") as scratch:
        asyncio.run(_over(target, listener, Path(scratch)))


async def _over(target: str, listener: socket.socket, scratch: Path) -> None:
    async with _remote(target, scratch) as page:
        await _server(page).serve([listener])


@asynccontextmanager
async def _remote(target: str, scratch: Path) -> AsyncIterator[Playground]:
    from cogyard.cli.playing import Playground
    from cogyard.cli.remote import RemoteModel

    model = RemoteModel(target.rstrip("/"), scratch)
    try:
        yield Playground(model=model, name=target, scratch=scratch, describe=model.describe, **_hosts(None))
    finally:
        await model.aclose()


async def _play(
    wish: Wish, target: str | None, listener: socket.socket, console: Console, *, browser: bool
) -> None:
    if target is not None:
        async with _remote(target, wish.scratch) as page:
            await _show(page, listener, console, browser=browser)
        return
    from cogyard.cli.playing import Playground
    from cogyard.cli.running import find_model

    found = find_model(wish, console)
    ready = await asyncio.to_thread(found.prepare, console)
    with console.working("Starting the model"):
        starting = ready.start(lambda _source, text: console.log(text))
        model = await starting.__aenter__()
    try:
        console.done(f"Model running in {ready.label}\n")
        page = Playground(
            model=model,
            name=wish.image or Path.cwd().name,
            scratch=wish.scratch,
            describe=_describing(model),
            **_hosts(listener.getsockname()[0]),
        )
        await _show(page, listener, console, browser=browser)
    finally:
        await starting.__aexit__(None, None, None)


def _describing(model: RunningModel) -> Any:
    async def describe() -> Mapping[str, Any]:
        return model.schema

    return describe


def _hosts(bound: str | None) -> dict[str, Any]:
    """Return by which names the page may be reached: any, when other machines were let in."""
    from cogyard.cli.playing import OWN_HOSTS

    if bound is None:
        return {}
    return {"hosts": None if bound in _EVERYWHERE else OWN_HOSTS | {bound}}


async def _show(page: Playground, listener: socket.socket, console: Console, *, browser: bool) -> None:
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in _EVERYWHERE else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    console.say(f"Playground at {address}\nCtrl-C ends it.\n")
    if browser:
        import webbrowser

        await asyncio.to_thread(webbrowser.open, address)
    await _server(page).serve([listener])


def _server(page: Playground) -> uvicorn.Server:
    import contextlib

    import uvicorn

    class Server(uvicorn.Server):
        """One whose signals are ours."""

        @contextlib.contextmanager
        def capture_signals(self) -> Any:
            yield

    config = uvicorn.Config(
        page.app(), log_level="error", lifespan="off", access_log=False, timeout_graceful_shutdown=1
    )
    return Server(config)
