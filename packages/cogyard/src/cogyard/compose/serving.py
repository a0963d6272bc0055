"""Run a platform until a signal: serve, drain on the first, stop at once on the second.

Theory of operation: model servers fetch inputs from the platform and send outputs to it, so the door stays open
while running predictions finish; it closes last. uvicorn's own signal handling would close it first.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from cogyard.compose.closing import Closing
from cogyard.compose.speaking import Speaking
from cogyard.compose.zerocopy import ZeroCopy

#: How long open connections (streams, waiting requests) get once everything else is done, in seconds.
_LAST_ANSWERS = 3

#: How long a connection may wait for its next request. Proxies keep theirs for later, nginx for a minute and Caddy for
#: two; whoever closes first must be the proxy, or a request that it sends just then is lost, and answered with 502.
IDLE_SECONDS = 130


@dataclass(frozen=True, slots=True)
class Door:
    """A listening socket, and the TLS that is spoken there, if any."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None


class Drainable(Protocol):
    """What is served."""

    @property
    def app(self) -> ASGIApp:
        """The application."""
        ...

    async def drain(self, *, grace: float) -> None:
        """Start no more, let what runs finish for `grace` seconds, end the rest."""
        ...


class Signals:
    """SIGINT and SIGTERM: the first asks for an end, the second for a quick one."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catch signals inside the block."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._take)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _take(self) -> None:
        if self.first.is_set():
            self.second.set()
        self.first.set()


class _Server(uvicorn.Server):
    """uvicorn without its signal handling."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def serve(
    platform: Drainable,
    doors: Sequence[Door],
    signals: Signals,
    *,
    drain_timeout: float,
    access_log: bool,
    started: Callable[[], None],
    stopping: Callable[[], None],
) -> bool:
    """Serve until the first signal, then end; return False when a second one cut the drain short.

    `started` is called once requests are answered, `stopping` at the first signal.
    """
    app = Closing(platform.app)
    served = ZeroCopy(app)
    servers = [_server(served, door, access_log=access_log) for door in doors]
    serving = [
        asyncio.create_task(server.serve(sockets=[door.socket]))
        for server, door in zip(servers, doors, strict=True)
    ]
    first = asyncio.create_task(signals.first.wait())
    try:
        await _begun(servers, serving)
        started()
        await asyncio.wait([first, *serving], return_when=asyncio.FIRST_COMPLETED)
        stopping()
        return await _drain(platform, signals, drain_timeout)
    finally:
        first.cancel()
        for server in servers:
            server.should_exit = True
        await app.close(answers=0 if signals.second.is_set() else _LAST_ANSWERS)
        await asyncio.gather(*serving)


async def _begun(servers: Sequence[_Server], serving: Sequence[asyncio.Task[None]]) -> None:
    while not all(one.started for one in servers) and not any(task.done() for task in serving):  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)


def _server(app: ASGIApp, door: Door, *, access_log: bool) -> _Server:
    config = uvicorn.Config(
        app,
        http=Speaking,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=access_log,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=_LAST_ANSWERS + 1,
    )
    config.load()
    config.ssl = door.tls
    return _Server(config)


async def _drain(platform: Drainable, signals: Signals, grace: float) -> bool:
    draining = asyncio.create_task(platform.drain(grace=grace))
    second = asyncio.create_task(signals.second.wait())
    await asyncio.wait([draining, second], return_when=asyncio.FIRST_COMPLETED)
    second.cancel()
    if draining.done():
        draining.result()
        return True
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    await platform.drain(grace=0)
    return False
