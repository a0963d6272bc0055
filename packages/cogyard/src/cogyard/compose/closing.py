"""The end of what still waits when the platform closes: streams end whole, other requests are answered.

Theory of operation: uvicorn would cut such connections off and log each as a failure of the application. A stream that
ends in order is asked for again by its watcher, from the event it had last; that works once the platform is back.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: How long streams get to tell how what they watch has ended, in seconds.
LAST_EVENTS = 0.5

_GONE = json.dumps(
    {
        "title": "Service unavailable",
        "detail": "The platform is stopping. What it has taken is kept, and goes on when it is started again.",
        "status": 503,
    }
).encode()


class _Request:
    """One request under way: how far its answer is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.is_stream = False
        self.is_closed = False

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            self.started = True
            self.is_stream = any(
                name == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in message.get("headers", ())
            )
        await self._send(message)

    async def end(self) -> None:
        """Complete a stream, or say that there will be no answer; an answer cut short stays so."""
        if not self.started:
            headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"5")]
            await self._send({"type": "http.response.start", "status": 503, "headers": headers})
            await self._send({"type": "http.response.body", "body": _GONE})
        elif self.is_stream:
            await self._send({"type": "http.response.body", "body": b""})


class Closing:
    """An ASGI application that knows its open requests and can end them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = dict[asyncio.Task[Any], _Request]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        task = asyncio.current_task()
        if scope["type"] != "http" or task is None:
            await self._app(scope, receive, send)
            return
        request = self._open[task] = _Request(send)
        try:
            await self._app(scope, receive, request.send)
        except asyncio.CancelledError:
            if not request.is_closed:
                raise
            task.uncancel()
            await request.end()
        finally:
            del self._open[task]

    async def close(self, *, answers: float) -> None:
        """End the streams, after a moment for their last events; after `answers` seconds, whatever is left."""
        await self._settled(min(LAST_EVENTS, answers))
        self._end([task for task, request in self._open.items() if request.is_stream])
        await self._settled(answers)
        self._end([*self._open])

    async def _settled(self, seconds: float) -> None:
        if self._open and seconds:
            await asyncio.wait([*self._open], timeout=seconds)

    def _end(self, tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            self._open[task].is_closed = True
            task.cancel()
