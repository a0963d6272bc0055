"""The port behind which bytes are kept, named by the digest of their content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class BlobStore(Protocol):
    """Keep bytes by digest (`sha256:` and 64 hex digits); the same bytes are kept once."""

    async def size(self, digest: str) -> int | None:
        """Return the size in bytes, or None when there is no such blob."""
        ...

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes `start` (inclusive) to `stop` (exclusive; None is the end); raise KeyError when absent."""
        ...

    async def write(
        self, chunks: AsyncIterator[bytes], *, expected: str | None = None, limit: int | None = None
    ) -> tuple[str, int]:
        """Keep a stream whole, durably, or not at all; return (digest, size).

        Raises DigestMismatchError when the bytes are not `expected`, TooLargeError past `limit` bytes.
        """
        ...

    async def delete(self, digest: str) -> None:
        """Forget a blob; nothing happens when it is not there."""
        ...


class LocalFiles(Protocol):
    """A further ability: blobs that are ordinary files of this machine, for sendfile and unpacking."""

    def path(self, digest: str) -> Path | None:
        """Return the blob's file, or None when it is not there."""
        ...
