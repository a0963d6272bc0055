"""The rest of a large body of known size: read by the system straight to where it stays."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Callable

from cog_server.blocks import block

LARGE = 1 << 20
"""Bytes from which a body is read this way."""


class LargeBody(asyncio.BufferedProtocol):
    """Take a connection's place until its request's body is whole; then give it back."""

    def __init__(
        self,
        connection: asyncio.Protocol,
        size: int,
        begun: list[bytes],
        *,
        on_more: Callable[[int], None],
        on_whole: Callable[[mmap.mmap], None],
    ) -> None:
        self._body = block(size)
        self._filled = 0
        for part in begun:
            self._body[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
        self._room = memoryview(self._body)
        self._connection = connection
        self._on_more = on_more
        self._on_whole = on_whole

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's own signature
        """Return where the next read goes."""
        return self._room[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Count what came; hand the body over when it is whole."""
        self._filled += nbytes
        self._on_more(self._filled)
        if self._filled == len(self._body):
            self._on_whole(self._body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._connection.resume_writing()
