"""Files in memory, for tests without a database."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import (
    StoredFile,
)
from cogyard.testing.paging import sliced


@dataclass
class MemoryFiles:
    """Keeps the promises of `cogyard.features.files.ports.FileStore`."""

    files: dict[str, StoredFile] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def add(self, file: StoredFile) -> None:
        """Keep a file."""
        self.files[file.id] = file
        self.ranks[file.id] = next(self._count)

    async def get(self, file_id: str) -> StoredFile | None:
        """Return a file, or None."""
        return self.files.get(file_id)

    async def by_token(self, token: str) -> StoredFile | None:
        """Return the file of a public address, or None."""
        return next((file for file in self.files.values() if file.token == token), None)

    async def uploads(self, account_id: int, window: Window) -> Slice[StoredFile]:
        """Return what an account sent itself, newest first."""
        found = [f for f in self.files.values() if f.account_id == account_id and f.prediction_id is None]
        return sliced(found, window, lambda file: (self.ranks[file.id],))

    async def delete(self, file_id: str) -> bool:
        """Forget a file."""
        return self.files.pop(file_id, None) is not None

    async def expired(self, now: datetime, limit: int) -> tuple[StoredFile, ...]:
        """Return files whose time is over."""
        found = [
            file for file in self.files.values() if file.expires_at is not None and file.expires_at <= now
        ]
        return tuple(sorted(found, key=lambda file: file.expires_at or now)[:limit])

    async def uses(self, sha256: str) -> int:
        """Return how many files have this content."""
        return sum(file.sha256 == sha256 for file in self.files.values())
