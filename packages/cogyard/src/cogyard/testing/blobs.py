"""Blobs in memory, for tests of what uses a store. What every store promises is in `blob_contracts`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cogyard.domain.blobs import (
    DigestMismatchError,
    TooLargeError,
    Upload,
    UploadBusyError,
    UploadOffsetError,
    UploadUnknownError,
)


def digest_of(data: bytes) -> str:
    """Return the digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


async def pieces(data: bytes, size: int = 1000, *, then: BaseException | None = None) -> AsyncIterator[bytes]:
    """Yield data as a request's body comes: in pieces; raise `then` at the end, as a broken connection would."""
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]
    if then is not None:
        raise then


class MemoryBlobs:
    """A CollectableBlobs in a dictionary."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.wanted: dict[str, datetime] = {}

    async def size(self, digest: str) -> int | None:
        """Return the size in bytes, or None when there is no such blob."""
        found = self.content.get(digest)
        return None if found is None else len(found)

    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes `start` to `stop`."""
        content = self.content[digest][start:stop]
        async for piece in pieces(content, 1 << 16):
            yield piece

    async def write(
        self, chunks: AsyncIterable[bytes], *, expected: str | None = None, limit: int | None = None
    ) -> tuple[str, int]:
        """Keep a stream whole or not at all."""
        data = bytearray()
        async for chunk in chunks:
            data += chunk
            if limit is not None and len(data) > limit:
                raise TooLargeError(limit=limit)
        digest = digest_of(bytes(data))
        if expected not in {None, digest}:
            raise DigestMismatchError(expected=str(expected), actual=digest, size=len(data))
        self.content[digest] = bytes(data)
        self.wanted[digest] = datetime.now(UTC)
        return digest, len(data)

    async def delete(self, digest: str) -> None:
        """Forget a blob."""
        self.content.pop(digest, None)

    async def renew(self, digest: str) -> int | None:
        """Note that the blob is wanted now."""
        if digest not in self.content:
            return None
        self.wanted[digest] = datetime.now(UTC)
        return len(self.content[digest])

    async def idle(self, before: datetime) -> AsyncIterator[Sequence[str]]:
        """Yield the digests of the blobs that were last wanted before a time."""
        found = [digest for digest in self.content if self.wanted[digest] < before]
        if found:
            yield found

    async def delete_idle(self, digest: str, before: datetime) -> int | None:
        """Forget a blob, unless it has been wanted since."""
        if digest not in self.content or self.wanted[digest] >= before:
            return None
        return len(self.content.pop(digest))


class MemoryUploads:
    """An Uploads in a dictionary, whose commits go to a MemoryBlobs."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._scopes: dict[str, str] = {}
        self._data: dict[str, bytearray] = {}
        self._writing: set[str] = set()
        self._written: dict[str, datetime] = {}

    async def begin(self, scope: str) -> Upload:
        """Start an upload."""
        upload = Upload(id=secrets.token_hex(16), scope=scope, size=0)
        self._scopes[upload.id], self._data[upload.id] = scope, bytearray()
        self._written[upload.id] = datetime.now(UTC)
        return upload

    async def get(self, upload_id: str) -> Upload:
        """Return how far an upload is."""
        if upload_id not in self._data:
            raise UploadUnknownError(upload_id)
        return Upload(id=upload_id, scope=self._scopes[upload_id], size=len(self._data[upload_id]))

    async def append(
        self,
        upload_id: str,
        chunks: AsyncIterable[bytes],
        *,
        offset: int | None = None,
        limit: int | None = None,
    ) -> Upload:
        """Add bytes at the end."""
        upload = await self.get(upload_id)
        if offset not in {None, upload.size}:
            raise UploadOffsetError(offset=offset or 0, size=upload.size)
        with self._writer(upload_id):
            data, self._written[upload_id] = self._data[upload_id], datetime.now(UTC)
            async for chunk in chunks:
                data += chunk
                if limit is not None and len(data) > limit:
                    await self.discard(upload_id)
                    raise TooLargeError(limit=limit)
        return replace(upload, size=len(data))

    async def commit(self, upload_id: str, expected: str) -> int:
        """Make the upload a blob."""
        with self._writer(upload_id):
            await self.get(upload_id)
            data = bytes(self._data[upload_id])
            await self.discard(upload_id)
            await self._blobs.write(pieces(data, 1 << 16), expected=expected)
            return len(data)

    async def sweep(self) -> None:
        """Do nothing: uploads in memory do not expire."""

    async def drop_idle(self, owner: str, before: datetime) -> int:
        """Drop the uploads of an owner that were last written to before a time."""
        found = [
            each
            for each, scope in self._scopes.items()
            if scope.startswith(f"{owner}/") and self._written[each] < before
        ]
        for each in found:
            await self.discard(each)
        return len(found)

    async def held(self, owner: str) -> int:
        """Return the bytes of all open uploads of an owner."""
        return sum(
            len(self._data[upload_id])
            for upload_id, scope in self._scopes.items()
            if scope.startswith(f"{owner}/")
        )

    async def discard(self, upload_id: str) -> None:
        """Drop an upload."""
        self._data.pop(upload_id, None)
        self._scopes.pop(upload_id, None)

    @contextlib.contextmanager
    def _writer(self, upload_id: str) -> Iterator[None]:
        if upload_id in self._writing:
            raise UploadBusyError(upload_id)
        self._writing.add(upload_id)
        try:
            yield
        finally:
            self._writing.discard(upload_id)


async def collect(chunks: AsyncIterator[bytes]) -> bytes:
    """Return a whole stream."""
    return b"".join([chunk async for chunk in chunks])
