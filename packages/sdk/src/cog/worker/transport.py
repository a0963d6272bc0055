"""The worker's end of the socket on an event loop."""

from __future__ import annotations

import asyncio
import socket
from collections import deque

from cog.worker.frames import Decoder, Frame, FrameError


class FrameProtocol(asyncio.Protocol):
    """Carries frames over a stream. Everything here is for the loop's own thread."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._inbox: deque[Frame] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Event | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._closed = False
        self._error: FrameError | None = None

    @classmethod
    async def over(cls, sock: socket.socket) -> FrameProtocol:
        """Return a protocol that has taken over the socket."""
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(cls, sock=sock)
        return protocol

    async def receive(self) -> Frame | None:
        """Wait for the next frame; None when the server closed. Raises FrameError for what is no frame."""
        while not self._inbox:
            if self._error is not None:
                raise self._error
            if self._closed:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._inbox.popleft()

    def send(self, data: bytes) -> None:
        """Write one frame."""
        if self._transport is not None and not self._closed:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait while the server reads more slowly than the author's code yields."""
        if self._room is not None:
            await self._room.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - what create_connection gives
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        try:
            self._inbox.extend(self._decoder.feed(data))
        except FrameError as error:
            self._error = error
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """Note that the server is gone."""
        self._closed = True
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        """Hold generators back."""
        self._room = asyncio.Event()

    def resume_writing(self) -> None:
        """Let generators go on."""
        if self._room is not None:
            self._room.set()
            self._room = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
