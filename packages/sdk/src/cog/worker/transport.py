"""The worker's end of the socket on an event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from cog.worker.frames import Decoder, Frame, FrameError

#: One read takes a request of any usual size whole.
READ_SIZE = 1 << 18


class FrameProtocol(asyncio.BufferedProtocol):
    """Carries frames over a stream. Everything here is for the loop's own thread.

    Frames are handed over as they come, without a task in between: that would be a round of the loop for each. Reads
    go into one buffer: a plain Protocol has asyncio allocate 256 KiB for each, which costs three system calls.
    """

    def __init__(
        self, on_frame: Callable[[Frame], None], on_end: Callable[[FrameError | None], None]
    ) -> None:
        """Call `on_frame` for every frame, and `on_end` once: when the server closed, or sent what is no frame."""
        self._decoder = Decoder()
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._on_frame = on_frame
        self._on_end = on_end
        self._room: asyncio.Event | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._ended = False
        self._held: list[bytes] = []
        self._gathering = False

    async def take(self, sock: socket.socket) -> None:
        """Take over the socket."""
        sock.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=sock)

    def send(self, data: bytes) -> None:
        """Write one frame; nothing once the server is gone."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._held:
            data = b"".join([*self._held, data])
            self._held.clear()
        self._transport.write(data)

    def answer(self, data: bytes) -> None:
        """Write a terminal frame: the first of a turn of the loop at once, the others of that turn together after it.

        Predictions that were begun together tend to end together, and a write for each wakes the server for each.
        """
        if self._gathering:
            self._held.append(data)
            return
        self._gathering = True
        self.send(data)
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._gathering = False
        self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self._held:
            self.send(b"")

    @property
    def full(self) -> bool:
        """Whether the server reads more slowly than the author's code yields."""
        return self._room is not None

    async def drained(self) -> None:
        """Wait while the server reads more slowly than the author's code yields."""
        if self._room is not None:
            await self._room.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # Not checked by class: the author's own loop (uvloop) gives transports that are none of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's own signature
        """Return where the next read goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over what came."""
        try:
            for frame in self._decoder.feed(self._buffer[:nbytes]):
                self._on_frame(frame)
        except FrameError as error:
            self._end(error)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """Say that the server is gone."""
        self.resume_writing()
        self._end(None)

    def pause_writing(self) -> None:
        """Hold generators back."""
        self._room = asyncio.Event()

    def resume_writing(self) -> None:
        """Let generators go on."""
        if self._room is not None:
            self._room.set()
            self._room = None

    def _end(self, error: FrameError | None) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(error)
