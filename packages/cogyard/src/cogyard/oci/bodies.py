"""What is sent to a registry and what it answers: files are read as they go, answers are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Protocol

from cogyard.oci.exchange import Answer, Call
from cogyard.oci.joined import Joined
from cogyard.oci.manifest import MAX_MANIFEST
from cogyard.oci.network import Body, Response

_CHUNK = 1 << 20
#: Answers of a registry that are kept in memory: manifests and errors.
_MAX_BODY = MAX_MANIFEST + 1


class _Reader(Protocol):
    """What a file's content is read through."""

    def seek(self, position: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


async def answer(response: Response) -> Answer:
    """Read a whole answer, as far as one may be kept."""
    body = bytearray()
    async for chunk in response.chunks():
        body += chunk
        if len(body) > _MAX_BODY:
            break
    return Answer(status=response.status, headers=response.headers, body=bytes(body), url=response.url)


def content(call: Call, on_sent: Callable[[int], None] | None) -> Body:
    """Return what a call sends: bytes, or a file read as it goes."""
    if isinstance(call.body, bytes):
        return call.body
    return _read(call.body, call.start, call.stop, on_sent)


async def _read(
    path: Path | Joined, start: int, stop: int | None, on_sent: Callable[[int], None] | None
) -> AsyncGenerator[bytes, None]:
    file: _Reader = await asyncio.to_thread(path.open, "rb")
    try:
        position = file.seek(start)
        while chunk := await asyncio.to_thread(
            file.read, _CHUNK if stop is None else min(_CHUNK, stop - position)
        ):
            yield chunk
            position += len(chunk)
            if on_sent is not None:
                on_sent(position)
    finally:
        file.close()
