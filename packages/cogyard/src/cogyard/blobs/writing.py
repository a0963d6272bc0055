"""Write a stream to a file and hash it beside the write, away from the event loop.

Theory of operation: sha256 runs at about a gigabyte a second and a disk's page cache takes more than that; both leave
the interpreter lock. So pieces are gathered to a batch of 1 MiB, and each batch is hashed in one lane and written in
another while the loop gathers the next ones: at most `DEPTH` batches are in memory, whatever the size of the whole.
Every 32 MiB a third thread asks the kernel to begin writing to the disk, so that the fsync at the end is short; an
upload counts them over all its pieces, however small those are.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cogyard.blobs.lanes import Lane
from cogyard.blobs.libc import start_writeback
from cogyard.domain.blobs import StorageFullError

BATCH = 1 << 20
"""Bytes gathered before the threads are given work: a hand-over costs about 50 µs, hashing this takes 1 ms."""

WRITEBACK_EVERY = 32 << 20
"""Bytes after which the kernel is asked to begin writing."""

_IOV_MAX = 512
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Hashing:
    """The sha256 of pieces in their order, computed in a lane of its own. Belongs to one event loop."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.hasher = hashlib.sha256()
        self.lane = Lane(threads, self._hash)

    def _hash(self, batch: Sequence[bytes]) -> None:
        for chunk in batch:
            self.hasher.update(chunk)


class Writeback:
    """Has the kernel begin to write a file to the disk, every `WRITEBACK_EVERY` bytes. Belongs to one loop."""

    def __init__(self, threads: ThreadPoolExecutor, start: Callable[[int], None] = start_writeback) -> None:
        self._threads = threads
        self._start = start
        self._unstarted = 0
        self._running: asyncio.Future[None] | None = None

    def note(self, fd: int, size: int) -> None:
        """Count `size` bytes that were, or soon will be, written to the file; return at once.

        The kernel may take its time when the disk's queue is full, so a thread asks it, over a descriptor of its own:
        nobody who closes `fd` has to wait.
        """
        self._unstarted += size
        if self._unstarted < WRITEBACK_EVERY or (self._running is not None and not self._running.done()):
            return
        self._unstarted = 0
        self._running = asyncio.get_running_loop().run_in_executor(self._threads, self._once, os.dup(fd))

    def _once(self, fd: int) -> None:
        try:
            self._start(fd)
        finally:
            os.close(fd)


class HashingFile:
    """A file that grows at its end and knows the sha256 of all it holds.

    Call `finish()` before trusting `size` and `digest`, and always `close()`: it waits until no thread uses the file.
    """

    def __init__(
        self,
        fd: int,
        threads: ThreadPoolExecutor,
        *,
        hashing: Hashing | None = None,
        writeback: Writeback | None = None,
        size: int = 0,
    ) -> None:
        """Take over `fd`, positioned at its end, which already holds `size` bytes that `hashing` has been given.

        `hashing` goes on when the file is closed: an upload's next request may come before the last one's bytes are
        hashed. `writeback` goes on as well: no single piece may be large enough for it.
        """
        self.fd = fd
        self.size = size
        self.hashing = hashing or Hashing(threads)
        self._lasting = hashing is not None
        self.failed: OSError | None = None
        """What the disk said when something could not be written; the file is then worth nothing."""
        self._threads = threads
        self._writing = Lane(threads, partial(_write, fd))
        self._batch: list[bytes] = []
        self._batched = 0
        self._running: asyncio.Future[None] | None = None
        self._writeback = writeback or Writeback(threads)

    @property
    def digest(self) -> str:
        """The digest of what is in the file."""
        return f"sha256:{self.hashing.hasher.hexdigest()}"

    async def add(self, chunk: bytes) -> None:
        """Append a piece; it is in the file after the next `finish()` at the latest."""
        self._batch.append(chunk)
        self._batched += len(chunk)
        self.size += len(chunk)
        if self._batched >= BATCH:
            await self._hand_over()

    async def finish(self) -> None:
        """Wait until all pieces are hashed and written (not yet durable)."""
        await self.written()
        await self.hashing.lane.finish()

    async def written(self) -> None:
        """Wait until all pieces are written (not yet durable), whether they are hashed or not."""
        if self._batch:
            await self._hand_over()
        with self._noting():
            await self._writing.finish()

    async def run(self, function: Callable[..., None], *arguments: object) -> None:
        """Do something blocking with the finished file; `close()` waits for it even when the caller is cancelled."""
        self._running = asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        with self._noting():
            # Not cancelled with the caller: a thread's work cannot be, and close() must still see it.
            await asyncio.shield(self._running)

    async def close(self) -> None:
        """Wait for the threads, whatever came of their work, and close the file."""
        running, self._running = self._running, None
        if not self._lasting:
            await self.hashing.lane.stop()
        await self._writing.stop()
        if running is not None:
            await asyncio.gather(running, return_exceptions=True)
        os.close(self.fd)

    async def _hand_over(self) -> None:
        batch, self._batch, self._batched = self._batch, [], 0
        with self._noting():
            await self.hashing.lane.room()
            await self._writing.room()
        self.hashing.lane.put(batch)
        self._writing.put(batch)
        self._writeback.note(self.fd, sum(map(len, batch)))

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failed = error
            raise


def storage_full(error: OSError, where: Path) -> StorageFullError | None:
    """Return the error to raise when the operating system said, writing below `where`, that the disk is full."""
    if error.errno not in _FULL:
        return None
    try:
        free = shutil.disk_usage(where).free
    except OSError:
        free = 0
    return StorageFullError(where=where.name, free=free)


def _write(fd: int, batch: Sequence[bytes]) -> None:
    views = [memoryview(chunk) for chunk in batch if chunk]
    first = 0
    while first < len(views):
        written = os.writev(fd, views[first : first + _IOV_MAX])
        while first < len(views) and written >= len(views[first]):
            written -= len(views[first])
            first += 1
        if written:
            views[first] = views[first][written:]
