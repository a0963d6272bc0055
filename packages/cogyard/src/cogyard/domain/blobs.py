"""The ports behind which bytes are kept, named by the digest of their content.

BlobError
├── DigestMismatchError   the sender's bytes are not what it said they were
├── TooLargeError         the sender's bytes are more than we take
├── StorageFullError      our disk has no room left
├── UploadUnknownError    no such upload, or it has expired
├── UploadOffsetError     the sender continues from the wrong place
└── UploadBusyError       another request is writing the same upload
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cogyard.errors import CogyardError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Say whether `text` is a digest as stores know them: `sha256:` and 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


class BlobError(CogyardError):
    """Bytes could not be kept."""

    code = "blob"


class DigestMismatchError(BlobError):
    """The bytes that came are not the bytes that were announced; nothing was kept."""

    code = "digest_mismatch"
    http_status = 400

    def __init__(self, *, expected: str, actual: str, size: int) -> None:
        """Name both digests, and the size that came."""
        super().__init__(
            f"The {size} bytes received have the digest {actual}, not {expected} as announced.",
            hint="Send the content again; it was damaged on the way, or the digest is another content's.",
        )
        self.expected = expected
        self.actual = actual
        self.size = size


class TooLargeError(BlobError):
    """More bytes came than are taken; nothing was kept."""

    code = "too_large"
    http_status = 413

    def __init__(self, *, limit: int) -> None:
        """Name the limit in bytes."""
        super().__init__(f"The content is larger than the limit of {limit} bytes.")
        self.limit = limit


class StorageFullError(BlobError):
    """The disk the bytes go to has no room left; nothing was kept."""

    code = "storage_full"
    http_status = 507

    def __init__(self, *, where: str, free: int) -> None:
        """Name the place, for the operator, and the bytes that are free there."""
        super().__init__(
            f"There is no room left to keep this ({free} bytes free at {where}).",
            hint="The operator must free space or move the data folder to a larger disk.",
        )
        self.free = free


class UploadUnknownError(BlobError):
    """There is no such upload; it ended, was cancelled or has expired."""

    code = "upload_unknown"
    http_status = 404

    def __init__(self, upload_id: str) -> None:
        """Name the upload."""
        super().__init__(f"There is no upload {upload_id!r}; it ended, was cancelled or has expired.")


class UploadOffsetError(BlobError):
    """The bytes do not follow those that are there; nothing was added."""

    code = "upload_offset"
    http_status = 416

    def __init__(self, *, offset: int, size: int) -> None:
        """Name where the sender continues, and where it must."""
        super().__init__(f"The upload holds {size} bytes, so the next must start at {size}, not at {offset}.")
        self.offset = offset
        self.size = size


class UploadBusyError(BlobError):
    """Another request is writing this upload."""

    code = "upload_busy"
    http_status = 409

    def __init__(self, upload_id: str) -> None:
        """Name the upload."""
        super().__init__(
            f"Another request is still writing to the upload {upload_id!r}.",
            hint="Ask for the upload's status, and continue from there.",
        )


class BlobStore(Protocol):
    """Keep bytes by digest (`sha256:` and 64 hex digits); the same bytes are kept once."""

    async def size(self, digest: str) -> int | None:
        """Return the size in bytes, or None when there is no such blob."""
        ...

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes `start` (inclusive) to `stop` (exclusive; None is the end); raise KeyError when absent."""
        ...

    async def write(
        self, chunks: AsyncIterable[bytes], *, expected: str | None = None, limit: int | None = None
    ) -> tuple[str, int]:
        """Keep a stream whole, durably, or not at all; return (digest, size).

        Raises DigestMismatchError when the bytes are not `expected`, TooLargeError past `limit` bytes,
        StorageFullError when the disk is full.
        """
        ...

    async def delete(self, digest: str) -> None:
        """Forget a blob; nothing happens when it is not there. Who is reading it now can finish."""
        ...


class Collectable(Protocol):
    """A further ability: blobs that nobody wants any more can be told by their age, and removed without a race.

    Every blob has a time at which it was last wanted: `write`, a commit of an upload, and `renew` set it. Whoever is
    about to rely on a blob sets it first; whoever collects removes only what was last wanted before a time.
    """

    async def renew(self, digest: str) -> int | None:
        """Note that the blob is wanted now; return its size, or None when it is not there."""
        ...

    def idle(self, before: datetime) -> AsyncIterator[Sequence[str]]:
        """Yield, a few at a time, the digests of the blobs that were last wanted before a time."""
        ...

    async def delete_idle(self, digest: str, before: datetime) -> int | None:
        """Forget a blob, unless it has been wanted since; return its size, or None when it stays or is not there."""
        ...


class CollectableBlobs(BlobStore, Collectable, Protocol):
    """A store that can be collected."""


class LocalFiles(Protocol):
    """A further ability: blobs that are ordinary files of this machine, for sendfile and unpacking."""

    def path(self, digest: str) -> Path | None:
        """Return the blob's file, or None when it is not there."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A blob that comes in pieces. `scope` says whose it is, in the words of who began it."""

    id: str
    scope: str
    size: int
    """Bytes held so far: where the next piece starts."""


class Uploads(Protocol):
    """A further ability: blobs sent in pieces, over several requests, continued after a break or a restart."""

    async def begin(self, scope: str) -> Upload:
        """Start an upload; its id cannot be guessed. One that nobody writes to for long enough expires."""
        ...

    async def get(self, upload_id: str) -> Upload:
        """Return how far an upload is; raises UploadUnknownError."""
        ...

    async def append(
        self,
        upload_id: str,
        chunks: AsyncIterable[bytes],
        *,
        offset: int | None = None,
        limit: int | None = None,
    ) -> Upload:
        """Add bytes at the end; `offset`, where given, must be that end.

        What came before `chunks` broke off stays, so that the sender can go on from there. Raises UploadUnknownError,
        UploadOffsetError, UploadBusyError, and (after which the upload is gone) TooLargeError when the whole passes
        `limit` bytes and StorageFullError.
        """
        ...

    async def commit(self, upload_id: str, expected: str) -> int:
        """Make the upload the blob `expected`, durably; return its size.

        Raises UploadUnknownError, UploadBusyError, and (after which the upload is gone) DigestMismatchError and
        StorageFullError.
        """
        ...

    async def discard(self, upload_id: str) -> None:
        """Drop an upload; nothing happens when it is not there."""
        ...


class ExpiringUploads(Protocol):
    """A further ability: uploads that nobody writes to any more can be dropped."""

    async def sweep(self) -> None:
        """Drop the uploads that have expired."""
        ...

    async def drop_idle(self, owner: str, before: datetime) -> int:
        """Drop the uploads whose scope begins with `owner/` and that were last written to before a time.

        Returns how many.
        """
        ...

    async def held(self, owner: str) -> int:
        """Return the bytes of all open uploads whose scope begins with `owner/`."""
        ...
