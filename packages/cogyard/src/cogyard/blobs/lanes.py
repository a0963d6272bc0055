"""Do work on pieces of a stream in order, on a thread, with as few hand-overs as possible.

Theory of operation: a lane has a short queue. Its thread goes on as long as there is something in it, so a producer
that keeps up wakes nobody, and one that is ahead is woken once for several pieces. On a machine that is busy with other
things each hand-over costs up to a time slice, and one for every piece and every thread was half of an upload's time.
After some pieces a lane goes to the end of the line for threads, so that many lanes share a few threads fairly.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

DEPTH = 4
"""Pieces that may be unfinished before whoever brings them waits."""

TURN = 8
"""Pieces after which another lane has its turn."""

Piece = Sequence[bytes]


class Lane:
    """One kind of work, on pieces in the order in which they came. Belongs to one event loop."""

    def __init__(self, threads: ThreadPoolExecutor, work: Callable[[Piece], None]) -> None:
        self._threads = threads
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._pieces: deque[Piece] = deque()
        self._running = False
        self._waiting: tuple[asyncio.Future[None], int] | None = None
        self.error: Exception | None = None
        """What ended the work; nothing is done after it."""

    def put(self, piece: Piece) -> None:
        """Bring a piece; the caller has waited for `room`."""
        with self._lock:
            self._pieces.append(piece)
            if self._running:
                return
            self._running = True
        self._begin()

    async def room(self) -> None:
        """Wait until another piece may come. Raises what the work raised."""
        await self._fewer_than(DEPTH)

    async def finish(self) -> None:
        """Wait until everything is done. Raises what the work raised."""
        await self._fewer_than(1)

    async def stop(self) -> None:
        """Drop what has not been begun, and wait until no thread works here. Raises nothing."""
        with self._lock:
            for _ in range(len(self._pieces) - 1 if self._running else len(self._pieces)):
                self._pieces.pop()
        with contextlib.suppress(Exception):
            await self._fewer_than(1)

    async def _fewer_than(self, count: int) -> None:
        while True:
            with self._lock:
                if self.error is not None and not self._running:
                    raise self.error
                if len(self._pieces) < count and (count > 1 or not self._running):
                    return
                waiter = self._loop.create_future()
                self._waiting = (waiter, count)
            await waiter

    def _begin(self) -> None:
        try:
            self._threads.submit(self._run)
        except RuntimeError as error:  # the store is being closed
            with self._lock:
                self.error, self._running = error, False
                self._tell()

    def _run(self) -> None:
        for _ in range(TURN):
            with self._lock:
                if self.error is not None or not self._pieces:
                    self._running = False
                    self._tell()
                    return
                piece = self._pieces[0]
            try:
                self._work(piece)
            except Exception as error:  # noqa: BLE001 - carried to whoever waits
                self.error = error
            with self._lock:
                self._pieces.popleft()
                # Half of the queue is free: then the one who waits can bring several pieces at once.
                if self._waiting is not None and len(self._pieces) <= self._waiting[1] // 2:
                    self._tell()
        self._begin()

    def _tell(self) -> None:
        if self._waiting is None:
            return
        waiter, self._waiting = self._waiting[0], None
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody is left to hear it
            self._loop.call_soon_threadsafe(_resolve, waiter)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
