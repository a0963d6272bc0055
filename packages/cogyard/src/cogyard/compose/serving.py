"""Run a platform until a signal: serve, drain on the first, stop at once on the second.

Theory of operation: model servers fetch inputs from the platform and send outputs to it, so the door stays open
while running predictions finish; it closes last. uvicorn's own signal handling would close it first.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from cogyard.compose.closing import Closing

#: How long open connections (streams, waiting requests) get once everything else is done, in seconds.
_LAST_ANSWERS = 3


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
    door: socket.socket,
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
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=access_log,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS + 1,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[door]))
    first = asyncio.create_task(signals.first.wait())
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        started()
        await asyncio.wait([first, serving], return_when=asyncio.FIRST_COMPLETED)
        stopping()
        return await _drain(platform, signals, drain_timeout)
    finally:
        first.cancel()
        server.should_exit = True
        await app.close(answers=0 if signals.second.is_set() else _LAST_ANSWERS)
        await serving


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
