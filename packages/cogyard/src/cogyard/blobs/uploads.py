"""Uploads in pieces, as folders of a local store; they survive a restart and expire.

Theory of operation: an upload is a folder with its growing `data` and a `scope` written once. The size of `data`
is the only state, so nothing can disagree with it. The state of sha256 cannot be kept in a file, so it is in memory
beside the upload; after a restart the first request that needs it hashes what is there anew. A request is answered when
its bytes are written, hashed or not: hashing goes on while the next piece comes. One request at a time writes to an
upload: the next one waits a little for the one before, whose client may be gone, and is then refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cogyard.blobs.libc import start_writeback
from cogyard.blobs.local import LocalBlobs
from cogyard.blobs.writing import Hashing, HashingFile, Writeback, storage_full
from cogyard.domain.blobs import (
    DigestMismatchError,
    TooLargeError,
    Upload,
    UploadBusyError,
    UploadOffsetError,
    UploadUnknownError,
)

LIFETIME = 24 * 3600.0
"""Seconds after which an upload that nobody writes to is dropped."""

SWEEP_EVERY = 600.0
"""Seconds between looks for expired uploads, taken when a new one begins."""

PATIENCE = 5.0
"""Seconds a request waits for another that is writing to the same upload."""

_ID = re.compile(r"[0-9a-f]{32}")
_DATA = "data"
_SCOPE = "scope"


@dataclass(eq=False, slots=True)
class _Progress:
    """What is known in memory of an upload: what its first `size` bytes were given to, to be hashed."""

    hashing: Hashing
    writeback: Writeback
    size: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ending: asyncio.Task[None] | None = None
    """What a cancelled request left running; its file is not to be touched before that is done."""


class LocalUploads:
    """An Uploads and ExpiringUploads over the folder of a LocalBlobs, which its commits go to."""

    def __init__(
        self,
        blobs: LocalBlobs,
        *,
        lifetime: float = LIFETIME,
        clock: Callable[[], float] = time.time,
        start_writeback: Callable[[int], None] = start_writeback,
    ) -> None:
        """Take up the uploads that are there, dropping those that have expired. Blocks for a moment."""
        self._blobs = blobs
        self._root = blobs.root / "uploads"
        self._root.mkdir(exist_ok=True)
        self._lifetime = lifetime
        self._clock = clock
        self._start_writeback = start_writeback
        self._progress: dict[str, _Progress] = {}
        self._swept = clock()
        self._sweep()

    async def begin(self, scope: str) -> Upload:
        """Start an upload; now and then, drop the expired ones first."""
        if self._clock() - self._swept > SWEEP_EVERY:
            self._swept = self._clock()
            await self.sweep()
        upload_id = secrets.token_hex(16)
        folder = self._root / upload_id
        try:
            folder.mkdir()
            (folder / _SCOPE).write_text(scope, encoding="utf-8")
            (folder / _DATA).touch()
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if full := storage_full(error, self._root):
                raise full from error
            raise
        self._progress[upload_id] = self._fresh()
        return Upload(id=upload_id, scope=scope, size=0)

    async def get(self, upload_id: str) -> Upload:
        """Return how far an upload is."""
        folder = self._folder(upload_id)
        try:
            scope = (folder / _SCOPE).read_text(encoding="utf-8")
            status = (folder / _DATA).stat()
        except FileNotFoundError:
            raise UploadUnknownError(upload_id) from None
        if self._clock() - status.st_mtime > self._lifetime:
            raise UploadUnknownError(upload_id)
        return Upload(id=upload_id, scope=scope, size=status.st_size)

    async def append(
        self,
        upload_id: str,
        chunks: AsyncIterable[bytes],
        *,
        offset: int | None = None,
        limit: int | None = None,
    ) -> Upload:
        """Add bytes at the end; what came before a break stays."""
        async with self._held(upload_id) as progress:
            upload = await self.get(upload_id)
            if offset is not None and offset != upload.size:
                raise UploadOffsetError(offset=offset, size=upload.size)
            file = await self._open(upload_id, progress)
            try:
                try:
                    async for chunk in chunks:
                        if limit is not None and file.size + len(chunk) > limit:
                            raise TooLargeError(limit=limit)
                        await file.add(chunk)
                finally:
                    progress.ending = self._blobs.ending(_settle(file, progress))
                    await asyncio.shield(progress.ending)
            except TooLargeError:
                await self.discard(upload_id)
                raise
            except OSError as error:
                if file.failed is not None:
                    await self.discard(upload_id)
                if full := storage_full(error, self._root):
                    raise full from error
                raise
            return Upload(id=upload_id, scope=upload.scope, size=progress.size)

    async def commit(self, upload_id: str, expected: str) -> int:
        """Make the upload the blob `expected`; whatever the outcome, it is no upload any more."""
        async with self._held(upload_id) as progress:
            await self.get(upload_id)
            file = await self._open(upload_id, progress)
            try:
                try:
                    await file.finish()
                    await self._blobs.keep(file, self._folder(upload_id) / _DATA, expected)
                finally:
                    progress.ending = self._blobs.ending(file.close())
                    await asyncio.shield(progress.ending)
            except DigestMismatchError:
                await self.discard(upload_id)
                raise
            except OSError as error:
                await self.discard(upload_id)
                if full := storage_full(error, self._root):
                    raise full from error
                raise
            await self.discard(upload_id)
            return file.size

    async def discard(self, upload_id: str) -> None:
        """Drop an upload; nothing happens when it is not there."""
        with contextlib.suppress(UploadUnknownError):
            folder = self._folder(upload_id)
            self._progress.pop(upload_id, None)
            await asyncio.get_running_loop().run_in_executor(self._blobs.threads, _remove, folder)

    async def sweep(self) -> None:
        """Drop the uploads that have expired."""
        await asyncio.get_running_loop().run_in_executor(self._blobs.threads, self._sweep)

    async def drop_idle(self, owner: str, before: datetime) -> int:
        """Drop the uploads of an owner that were last written to before a time."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._blobs.threads, _idle_of, self._root, owner, before.timestamp()
        )
        for upload_id in found:
            await self.discard(upload_id)
        return len(found)

    async def held(self, owner: str) -> int:
        """Return the bytes of all open uploads whose scope begins with `owner/`."""
        return await asyncio.get_running_loop().run_in_executor(
            self._blobs.threads, _held_by, self._root, owner
        )

    def _fresh(self) -> _Progress:
        return _Progress(Hashing(self._blobs.threads), Writeback(self._blobs.threads, self._start_writeback))

    def _folder(self, upload_id: str) -> Path:
        if not _ID.fullmatch(upload_id):
            raise UploadUnknownError(upload_id[:64])
        return self._root / upload_id

    @contextlib.asynccontextmanager
    async def _held(self, upload_id: str) -> AsyncIterator[_Progress]:
        await self.get(upload_id)
        progress = self._progress.get(upload_id)
        if progress is None:  # of an earlier process; what it holds is hashed when it is opened
            progress = self._progress[upload_id] = self._fresh()
        try:
            async with asyncio.timeout(PATIENCE):
                await progress.lock.acquire()
        except TimeoutError:
            raise UploadBusyError(upload_id) from None
        try:
            if progress.ending is not None:
                await asyncio.wait([progress.ending])
            yield progress
        finally:
            progress.lock.release()

    async def _open(self, upload_id: str, progress: _Progress) -> HashingFile:
        """Return the upload's file at its end, with the sha256 of what it holds."""
        fd = os.open(self._folder(upload_id) / _DATA, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        size = os.fstat(fd).st_size
        hashing = progress.hashing if size == progress.size else Hashing(self._blobs.threads)
        file = HashingFile(fd, self._blobs.threads, hashing=hashing, writeback=progress.writeback, size=size)
        if hashing is progress.hashing:
            return file
        try:
            await file.run(_hash_file, fd, size, hashing.hasher)
        except BaseException:
            progress.ending = self._blobs.ending(file.close())
            await asyncio.shield(progress.ending)
            raise
        progress.hashing, progress.size = hashing, size
        return file

    def _sweep(self) -> None:
        """Drop the uploads that nobody has written to for longer than they live."""
        for folder in self._root.iterdir():
            try:
                age = self._clock() - (folder / _DATA).stat().st_mtime
            except FileNotFoundError:
                age = self._clock() - folder.stat().st_mtime if folder.exists() else 0.0
            if age > self._lifetime:
                self._progress.pop(folder.name, None)
                _remove(folder)


async def _settle(file: HashingFile, progress: _Progress) -> None:
    """Bring the file to where memory says it is, and close it."""
    progress.size = -1  # unknown, unless all goes well: then the next request hashes the file anew
    try:
        await file.written()
        progress.size = file.size
    finally:
        await file.close()


def _hash_file(fd: int, size: int, hasher: hashlib._Hash) -> None:
    position = 0
    while position < size:
        piece = os.pread(fd, 1 << 20, position)
        if not piece:
            break
        hasher.update(piece)
        position += len(piece)


def _held_by(root: Path, owner: str) -> int:
    return sum(status.st_size for _, status in _of_owner(root, owner))


def _idle_of(root: Path, owner: str, before: float) -> list[str]:
    return [upload_id for upload_id, status in _of_owner(root, owner) if status.st_mtime < before]


def _of_owner(root: Path, owner: str) -> Iterator[tuple[str, os.stat_result]]:
    for folder in root.iterdir():
        try:
            if (folder / _SCOPE).read_text(encoding="utf-8").startswith(f"{owner}/"):
                yield folder.name, (folder / _DATA).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue  # it has ended meanwhile


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
