"""What `cog serve` says and does once the model's server listens; and the server of a container."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError
from cogyard.cli.run import run_async

if TYPE_CHECKING:
    from cogyard import engine
    from cogyard.cli.contained import ReadyContainer
    from cogyard.cli.remote import RemoteModel
    from cogyard.cli.serve import Place


def announce(address: str, place: Place, console: Console, what: str) -> None:
    """Say where the model is served; start its page when that was asked for."""
    console.done(f"Model starting in {what}\n")
    console.say(f"Serving at {address}\nPOST {address}/predictions runs the model; Ctrl-C ends it.")
    if place.playground is not None:
        from cogyard.cli.playground import listen, serve_page

        listener = listen("127.0.0.1", place.playground)
        shown = f"http://127.0.0.1:{listener.getsockname()[1]}"
        target = address.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104 - not bound here
        thread = threading.Thread(target=serve_page, args=(listener, target), name="playground", daemon=True)
        thread.start()
        console.say(f"Playground at {shown}")
    console.say()


def serve_container(ready: ReadyContainer, place: Place, console: Console) -> None:
    """Run the image's own server until Ctrl-C, or until it ends."""
    try:
        run_async(_contained(ready, place, console))
    except KeyboardInterrupt:
        console.say("\nStopped.")


async def _contained(ready: ReadyContainer, place: Place, console: Console) -> None:
    from cogyard import engine

    host = f"[{place.host}]" if ":" in place.host else place.host
    settings = ready.settings(publish=f"{host}:{place.port}", upload_url=place.upload_url)
    async with engine.Container.run(
        ready.client, settings, lambda _source, text: console.log(text)
    ) as container:
        async with _remote(await container.address(), ready) as model:
            await _answering(model, container)
            announce(model.address, place, console, ready.label)
        status = await container.wait()
        raise CommandError(f"the container ended with exit status {status}")


@asynccontextmanager
async def _remote(address: str, ready: ReadyContainer) -> AsyncIterator[RemoteModel]:
    from cogyard.cli.remote import RemoteModel

    model = RemoteModel(address, ready.wish.scratch)
    try:
        yield model
    finally:
        await model.aclose()


async def _answering(model: RemoteModel, container: engine.Container) -> None:
    import asyncio

    while not await model.answers():
        container.check()
        await asyncio.sleep(0.05)
