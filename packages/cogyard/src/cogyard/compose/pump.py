"""Send parts of files to sockets without carrying them through this process (sendfile), many at once on a few threads.

Theory of operation: each thread waits in an epoll of its own for sockets that take more, and gives each a piece. A
transfer belongs to one thread and owns copies of both descriptors, so nobody can close them under it. Registering with
an epoll that a thread waits in needs no wake-up of that thread, and neither does ending a transfer from outside: the
socket is shut down, which the thread sees as it sees a client that went.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import threading
from dataclasses import dataclass, field
from itertools import cycle

THREADS = 2
"""More would only wait for the interpreter lock: a thread holds it between two pieces, not while one is sent."""

PIECE = 1 << 20
"""Bytes given to a socket at once; its buffer takes a few MB at most."""

PIECES = 16
"""Pieces after which others have their turn: a reader on this machine can be as fast as we are."""

_READY = 64


class FileCutError(Exception):
    """A file ended before all that was announced of it was sent."""


@dataclass(eq=False, slots=True)
class _Transfer:
    """What is still to be sent, and who waits for it."""

    peer: socket.socket
    file: int
    position: int
    end: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None] = field(init=False)

    def __post_init__(self) -> None:
        self.done = self.loop.create_future()

    def step(self) -> bool:
        """Send until the socket takes no more, or others should have their turn; return whether that was the last.

        Raises OSError, FileCutError.
        """
        for _ in range(PIECES):
            count = min(PIECE, self.end - self.position)
            try:
                sent = os.sendfile(self.peer.fileno(), self.file, self.position, count)
            except BlockingIOError:
                return False
            if sent == 0:
                raise FileCutError(f"the file ended {self.end - self.position} bytes early")
            self.position += sent
            if self.position == self.end:
                return True
        return False

    def finish(self, error: Exception | None) -> None:
        """Let go of both descriptors and tell who waits."""
        self.peer.close()
        os.close(self.file)
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody is left to hear it
            self.loop.call_soon_threadsafe(_settle, self.done, error)


class Pump:
    """Threads that send files. They start with the first transfer and end with the process."""

    def __init__(self) -> None:
        self._threads = cycle([_Thread() for _ in range(THREADS)])

    async def send(self, peer: int, file: int, offset: int, count: int) -> None:
        """Send `count` bytes of `file` from `offset` on to the non-blocking socket `peer`.

        Neither is closed. When the caller is cancelled, the connection is shut down: half of an answer is none.
        Raises OSError when the connection breaks, FileCutError.
        """
        if not count:
            return
        loop = asyncio.get_running_loop()
        copy = socket.socket(fileno=os.dup(peer))
        transfer = _Transfer(copy, os.dup(file), offset, offset + count, loop)
        next(self._threads).begin(transfer)
        try:
            await asyncio.shield(transfer.done)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):  # it has ended in this moment
                copy.shutdown(socket.SHUT_RDWR)
            raise


class _Thread:
    """One thread and its epoll."""

    def __init__(self) -> None:
        self._poll: select.epoll | None = None
        self._transfers: dict[int, _Transfer] = {}

    def begin(self, transfer: _Transfer) -> None:
        """Take a transfer over."""
        if self._poll is None:
            self._poll = select.epoll()
            threading.Thread(target=self._run, args=[self._poll], name="pump", daemon=True).start()
        number = transfer.peer.fileno()
        self._transfers[number] = transfer
        self._poll.register(number, select.EPOLLOUT)

    def _run(self, poll: select.epoll) -> None:
        while True:
            for number, _ in poll.poll(maxevents=_READY):
                self._step(poll, number)

    def _step(self, poll: select.epoll, number: int) -> None:
        transfer, error = self._transfers[number], None
        try:
            if not transfer.step():
                return
        except (OSError, FileCutError) as caught:
            error = caught
        # In this order: the number may belong to the next socket as soon as this one is closed.
        poll.unregister(number)
        del self._transfers[number]
        transfer.finish(error)


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
        done.exception()  # who waited may have gone
