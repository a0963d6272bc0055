"""What the files service asks of whoever keeps files. Their bytes are in a `BlobStore`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import StoredFile


class FileStore(Protocol):
    """Keeps what is known of files."""

    async def add(self, file: StoredFile) -> None:
        """Keep a file."""
        ...

    async def get(self, file_id: str) -> StoredFile | None:
        """Return a file, or None."""
        ...

    async def by_token(self, token: str) -> StoredFile | None:
        """Return the file of a public address, or None."""
        ...

    async def uploads(self, account_id: int, window: Window) -> Slice[StoredFile]:
        """Return what an account sent itself, newest first; not what models made."""
        ...

    async def delete(self, file_id: str) -> bool:
        """Forget a file; False when there is none."""
        ...

    async def expired(self, now: datetime, limit: int) -> tuple[StoredFile, ...]:
        """Return files whose time is over."""
        ...

    async def uses(self, sha256: str) -> int:
        """Return how many files have this content."""
        ...
