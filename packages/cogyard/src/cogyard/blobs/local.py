"""Blobs as files below one folder of this machine, named by their digests.

Theory of operation: a blob is written to a file of its own below `tmp/`, made durable, and renamed to its place below
`blobs/sha256/`, so that what is there is always whole. Where the same blob is there already, that one stays. Files
below `tmp/` are locked while they are written; whatever is found there unlocked at the start was left by a process
that died.

    <root>/blobs/sha256/ab/abcdef…     one file a blob, in 256 folders
    <root>/tmp/…                       blobs on their way
    <root>/uploads/<id>/…              uploads in pieces (`cogyard.blobs.uploads`)
    <root>/collecting.lock             between those who want a blob and whoever removes unwanted ones
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from cogyard.blobs.libc import keep_large_buffers
from cogyard.blobs.writing import HashingFile, storage_full
from cogyard.domain.blobs import DigestMismatchError, TooLargeError, is_digest

READ_CHUNK, LONG_CHUNK, LONG = 256 << 10, 2 << 20, 4 << 20
"""Bytes read at a time, at first and once `LONG` bytes have gone out: a short read must not cost much memory, a long
one not many hand-overs."""

FEW = 16
"""Readers up to which each may read `LONG_CHUNK` at a time; what all of them hold stays below some 200 MiB."""

AHEAD = 3
"""Pieces of each reader that are in memory: with two, a thread that is woken late holds up the network."""

THREADS = 8
"""For reading, and as many for hashing and writing: apart, since a reader must not wait for an fsync of gigabytes."""


class LocalBlobs:
    """A CollectableBlobs and LocalFiles over a folder, which belongs to it."""

    def __init__(self, root: Path, readers: ThreadPoolExecutor, threads: ThreadPoolExecutor) -> None:
        self.root = root
        self.threads = threads
        self._readers = readers
        self._reading = 0
        self._endings: set[asyncio.Task[None]] = set()

    @classmethod
    def open(cls, root: Path, *, clean: bool = True) -> Self:
        """Use the folder `root`, making it when there is none; `clean` removes what a dead process left half-written.

        Blocks for a moment. Call `close()` when done. Without `clean` for a folder that another process writes to.
        """
        keep_large_buffers()
        for name in ("blobs", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)
        if clean:
            _remove_leftovers(root / "tmp")
        pools = [
            ThreadPoolExecutor(THREADS, thread_name_prefix=f"blobs-{what}") for what in ("read", "write")
        ]
        return cls(root, *pools)

    def close(self) -> None:
        """Let the threads end."""
        self._readers.shutdown(wait=True)
        self.threads.shutdown(wait=True)

    def path(self, digest: str) -> Path | None:
        """Return the blob's file, or None when it is not there."""
        place = self.place(digest)
        return place if place is not None and place.is_file() else None

    async def size(self, digest: str) -> int | None:
        """Return the size in bytes, or None when there is no such blob."""
        # A stat(2) and an open(2) cost less than handing them to a thread, here and below.
        place = self.place(digest)
        try:
            return None if place is None else place.stat().st_size
        except FileNotFoundError:
            return None

    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes `start` to `stop`, the next pieces being read while the caller deals with this one."""
        place = self.place(digest)
        if place is None:
            raise KeyError(digest)
        try:
            fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise KeyError(digest) from None
        loop, ahead = asyncio.get_running_loop(), deque[asyncio.Future[bytes]]()
        self._reading += 1
        try:
            size = os.fstat(fd).st_size
            end = size if stop is None else min(stop, size)
            position = start
            while True:
                while position < end and len(ahead) < AHEAD:
                    long = position - start >= LONG and self._reading <= FEW
                    piece = LONG_CHUNK if long else READ_CHUNK
                    length = min(piece, end - position)
                    ahead.append(loop.run_in_executor(self._readers, os.pread, fd, length, position))
                    position += length
                if not ahead:
                    return
                await asyncio.shield(ahead[0])
                yield ahead.popleft().result()
        finally:
            self._reading -= 1
            _close_after(ahead, fd)

    async def write(
        self, chunks: AsyncIterable[bytes], *, expected: str | None = None, limit: int | None = None
    ) -> tuple[str, int]:
        """Keep a stream whole, durably, or not at all; return (digest, size)."""
        temporary = self.root / "tmp" / secrets.token_hex(16)
        try:
            file = HashingFile(_create_locked(temporary), self.threads)
            try:
                async for chunk in chunks:
                    if limit is not None and file.size + len(chunk) > limit:
                        raise TooLargeError(limit=limit)
                    await file.add(chunk)
                await file.finish()
                await self.keep(file, temporary, expected)
            finally:
                await asyncio.shield(self.ending(self._close(file, temporary)))
        except OSError as error:
            if full := storage_full(error, self.root):
                raise full from error
            raise
        return file.digest, file.size

    async def delete(self, digest: str) -> None:
        """Forget a blob; who is reading it now can finish."""
        place = self.place(digest)
        if place is not None:
            await asyncio.get_running_loop().run_in_executor(self.threads, _remove, place)

    async def renew(self, digest: str) -> int | None:
        """Note that the blob is wanted now; return its size, or None when it is not there."""
        place = self.place(digest)
        if place is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(self.threads, _renew, self.root, place)

    async def idle(self, before: datetime) -> AsyncIterator[Sequence[str]]:
        """Yield, a folder at a time, the digests of the blobs that were last wanted before a time."""
        loop, top = asyncio.get_running_loop(), self.root / "blobs" / "sha256"
        for shard in await loop.run_in_executor(self.threads, _entries, top):
            found = await loop.run_in_executor(self.threads, _idle, shard, before.timestamp())
            if found:
                yield found

    async def delete_idle(self, digest: str, before: datetime) -> int | None:
        """Forget a blob, unless it has been wanted since; return its size, or None when it stays or is not there."""
        place = self.place(digest)
        if place is None:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, _delete_idle, self.root, place, before.timestamp())

    # The rest is shared with `cogyard.blobs.uploads`.

    def place(self, digest: str) -> Path | None:
        """Return where the blob is or would be; None for what is not a digest, so that no name leads elsewhere."""
        if not is_digest(digest):
            return None
        name = digest.removeprefix("sha256:")
        return self.root / "blobs" / "sha256" / name[:2] / name

    async def keep(self, file: HashingFile, temporary: Path, expected: str | None) -> None:
        """Make a finished file durable and move it to its place; raise DigestMismatchError when it is another."""
        place = self.place(file.digest)
        if place is None or expected not in {None, file.digest}:
            raise DigestMismatchError(expected=str(expected), actual=file.digest, size=file.size)
        await file.run(_keep, self.root, file.fd, temporary, place)

    def ending(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start work that must not stop half-way: shield it, so that a cancelled caller goes and the work goes on."""
        task = asyncio.get_running_loop().create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        return task

    async def _close(self, file: HashingFile, temporary: Path) -> None:
        await file.close()
        await asyncio.get_running_loop().run_in_executor(self.threads, _remove, temporary)


def _create_locked(path: Path) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def _close_after(reads: Iterable[asyncio.Future[bytes]], fd: int) -> None:
    """Close the file when no thread reads it any more; nobody is left to hear what came of that."""
    reading = asyncio.gather(*reads, return_exceptions=True)
    if reading.done():
        os.close(fd)
    else:
        reading.add_done_callback(lambda _: os.close(fd))


def _remove_leftovers(folder: Path) -> None:
    for path in folder.iterdir():
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            continue  # another process is writing it
        finally:
            os.close(fd)


def _keep(root: Path, fd: int, temporary: Path, place: Path) -> None:
    if _renew(root, place) is not None:
        return
    os.utime(fd)  # an upload may have lain for long since its last byte came
    os.fsync(fd)
    shard = place.parent
    if not shard.is_dir():
        shard.mkdir(parents=True, exist_ok=True)
        for folder in (shard.parent, shard.parent.parent):
            _sync_folder(folder)
    temporary.rename(place)
    _sync_folder(shard)


@contextmanager
def _collecting(root: Path, how: int) -> Iterator[None]:
    """Hold the lock between those who renew blobs (LOCK_SH) and whoever removes old ones (LOCK_EX), in any process.

    Without it a blob could go in the instant after somebody was told that it is here.
    """
    fd = os.open(root / "collecting.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)


def _renew(root: Path, place: Path) -> int | None:
    try:
        with _collecting(root, fcntl.LOCK_SH):
            os.utime(place)
            return place.stat().st_size
    except FileNotFoundError:
        return None


def _delete_idle(root: Path, place: Path, before: float) -> int | None:
    try:
        with _collecting(root, fcntl.LOCK_EX):
            status = place.stat()
            if status.st_mtime >= before:
                return None
            place.unlink()
            return status.st_size
    except FileNotFoundError:
        return None


def _entries(folder: Path) -> Sequence[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()


def _idle(shard: Path, before: float) -> Sequence[str]:
    found = []
    for path in _entries(shard):
        try:
            if path.stat().st_mtime < before:
                found.append(f"sha256:{path.name}")
        except FileNotFoundError:
            continue  # another collector was quicker
    return found


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
