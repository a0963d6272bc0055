"""Accept connections, keep their deadlines, close them in the end."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from cog_server.front.connection import Connection
from cog_server.front.exchange import Exchange

_TICK = 1.0
_WRITE_BUFFER = 1 << 20


class Application(Protocol):
    """An ASGI application that may answer some requests without a task."""

    def quick(self, exchange: Exchange) -> bool:
        """Take the exchange and return True, or return False to be called as ASGI."""

    def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> Awaitable[None]:
        """Serve one request."""


class FrontServer:
    """The listening end. Make it inside a running loop; `start`, then `close`."""

    def __init__(self, app: Application, *, max_body: int) -> None:
        self.app = app
        self.max_body = max_body
        self.loop = asyncio.get_running_loop()
        self.log = logging.getLogger("cog_server")
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False
        self.date_line = b""
        self._servers: list[asyncio.AbstractServer] = []
        self._ticker: asyncio.TimerHandle | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a bound socket."""
        self._tick()
        if listener.family == socket.AF_UNIX:
            server: asyncio.AbstractServer = await self.loop.create_unix_server(
                lambda: Connection(self), sock=listener
            )
        else:
            server = await self.loop.create_server(lambda: Connection(self), sock=listener)
        self._servers.append(server)

    async def close(self, grace: float) -> None:
        """Stop accepting, let answers under way finish for `grace` seconds, close."""
        self.closing = True
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.close_when_idle()
        end = time.monotonic() + grace
        while self.connections and time.monotonic() < end:  # noqa: ASYNC110 - once, at the end of the process
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()
        if self._ticker is not None:
            self._ticker.cancel()
        if self.tasks:
            await asyncio.wait(set(self.tasks), timeout=1.0)

    def _tick(self) -> None:
        """Keep the date, and close connections whose time is over: one timer for all, none for each request."""
        # As email.utils has it, which would be 2 ms of the start: this process sets no locale.
        self.date_line = time.strftime("date: %a, %d %b %Y %H:%M:%S GMT\r\n", time.gmtime()).encode()
        now = self.loop.time()
        for connection in list(self.connections):
            if connection.deadline is not None and connection.deadline < now:
                connection.abort()
        self._ticker = self.loop.call_later(_TICK, self._tick)
