"""Whole answers by ASGI, and its types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
JSON: Headers = [(b"content-type", b"application/json")]


async def reply(send: Send, status: int, body: bytes, headers: Headers = JSON) -> None:
    """Send a whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def not_found(send: Send) -> None:
    """Say that there is nothing at this address."""
    await reply(send, 404, b'{"detail":"Not Found"}')


async def not_allowed(send: Send, methods: list[str]) -> None:
    """Say which methods this address takes."""
    allow = (b"allow", ", ".join(methods).encode())
    await reply(send, 405, b'{"detail":"Method Not Allowed"}', [*JSON, allow])


async def other(scope: Scope, receive: Receive, send: Send) -> None:
    """Take part in the lifespan protocol; close anything else (there are no WebSockets here)."""
    if scope["type"] != "lifespan":
        await send({"type": "websocket.close", "code": 1000})
        return
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def naming(send: Send, name: bytes) -> Send:
    """Add the request's name to its answer."""

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", name)]
        await send(message)

    return named
