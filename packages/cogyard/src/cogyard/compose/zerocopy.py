"""ASGI's extension `http.response.zerocopysend` for uvicorn, which has none: files go out by sendfile.

A layer between uvicorn and an application. What it needs of uvicorn is the connection behind `send`; where that is not
as it is known (another server, TLS), the extension is not offered, and applications send bytes as ever.
"""

from __future__ import annotations

import sys
from typing import IO

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from cogyard.compose.pump import Pump

NAME = "http.response.zerocopysend"


class ZeroCopy:
    """An ASGI application that offers the extension to the one behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._pump = Pump() if sys.platform == "linux" else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        cycle = getattr(send, "__self__", None)
        if self._pump is None or not isinstance(cycle, RequestResponseCycle) or scope["scheme"] == "https":
            await self._app(scope, receive, send)
            return
        pump = self._pump

        async def sending(message: Message) -> None:
            if message["type"] != NAME:
                await send(message)
                return
            await _send_file(cycle, pump, message)
            await send({"type": "http.response.body", "more_body": message.get("more_body", False)})

        # In place: the server's log of requests reads there what a proxy said of the client.
        scope["extensions"] = {**(scope.get("extensions") or {}), NAME: {}}
        await self._app(scope, receive, sending)


async def _send_file(cycle: RequestResponseCycle, pump: Pump, message: Message) -> None:
    file: IO[bytes] = message["file"]
    offset, count = message.get("offset", 0), message["count"]
    if count > cycle.expected_content_length:
        raise RuntimeError("Response content longer than Content-Length")
    transport = cycle.transport
    # What was written before must have left: with no room in its buffer the transport says when it is empty.
    transport.set_write_buffer_limits(0)
    try:
        while cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
    finally:
        transport.set_write_buffer_limits()
    if cycle.disconnected or transport.is_closing():
        return
    cycle.expected_content_length -= count
    try:
        await pump.send(transport.get_extra_info("socket").fileno(), file.fileno(), offset, count)
    except (ConnectionError, TimeoutError):
        transport.abort()  # the client has gone, which is no failure of ours
    except BaseException:
        transport.abort()  # half of an answer must not look whole
        raise
