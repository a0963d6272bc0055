"""Request bodies that may be endless, slow, or cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from cogyard.registry.errors import SlowClientError, TooLargeError


async def stream(request: Request, *, idle: float) -> AsyncIterator[bytes]:
    """Yield the body as it comes. Raises SlowClientError after `idle` seconds of nothing, and ClientDisconnect."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise SlowClientError(
                f"Nothing came for {idle:g} seconds in the middle of the body.",
                hint="Ask for the upload's status, and continue from there.",
                headers={"Connection": "close"},
            ) from None
        if chunk:
            yield chunk


async def read(request: Request, *, limit: int, what: str, idle: float) -> bytes:
    """Return the whole body of a small request. Raises TooLargeError past `limit` bytes."""
    body = bytearray()
    async for chunk in stream(request, idle=idle):
        body += chunk
        if len(body) > limit:
            raise TooLargeError(f"{what} has more than {limit} bytes, which is the limit.")
    return bytes(body)


def content_length(request: Request) -> int | None:
    """Return the announced length of the body, or None."""
    header = request.headers.get("content-length", "")
    return int(header) if header.isascii() and header.isdigit() and len(header) <= 18 else None
