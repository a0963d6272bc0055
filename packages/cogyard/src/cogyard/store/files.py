"""What is known of files, in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from cogyard.domain.paging import Slice, Window, cut
from cogyard.domain.values import StoredFile
from cogyard.store.database import Database
from cogyard.store.rows import from_json, run, seek, to_json
from cogyard.store.times import moment, stored


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """The files' store over the platform's database."""

    database: Database

    async def add(self, file: StoredFile) -> None:
        """Keep a file."""
        values = {
            "id": file.id,
            "account_id": file.account_id,
            "token": file.token,
            "name": file.name,
            "content_type": file.content_type,
            "size": file.size,
            "sha256": file.sha256,
            "md5": file.md5,
            "metadata": to_json(file.metadata),
            "created_at": stored(file.created_at),
            "expires_at": stored(file.expires_at),
            "prediction_id": file.prediction_id,
        }
        sql = f"INSERT INTO files ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"
        await self.database.write(run(sql, *values.values()))

    async def get(self, file_id: str) -> StoredFile | None:
        """Return a file, or None."""
        return await self._one("id = ?", file_id)

    async def by_token(self, token: str) -> StoredFile | None:
        """Return the file of a public address, or None."""
        return await self._one("token = ?", token)

    async def uploads(self, account_id: int, window: Window) -> Slice[StoredFile]:
        """Return what an account sent itself, newest first."""
        where, sort, values = seek(window, ("rank",))
        sql = f"SELECT * FROM files WHERE account_id = ? AND prediction_id IS NULL AND {where} ORDER BY {sort} LIMIT ?"
        given = (account_id, *values, window.fetch)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        found = cut(rows, window, lambda row: (row["rank"],))
        return Slice(items=tuple(map(file_of, found.items)), next=found.next, previous=found.previous)

    async def delete(self, file_id: str) -> bool:
        """Forget a file."""
        sql = "DELETE FROM files WHERE id = ?"
        return await self.database.write(lambda db: db.execute(sql, (file_id,)).rowcount == 1)

    async def expired(self, now: datetime, limit: int) -> tuple[StoredFile, ...]:
        """Return files whose time is over."""
        sql = (
            "SELECT * FROM files WHERE expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?"
        )
        values = (stored(now), limit)
        return tuple(map(file_of, await self.database.read(lambda db: db.execute(sql, values).fetchall())))

    async def uses(self, sha256: str) -> int:
        """Return how many files have this content."""
        sql = "SELECT count(*) FROM files WHERE sha256 = ?"
        return int((await self.database.read(lambda db: db.execute(sql, (sha256,)).fetchone()))[0])

    async def _one(self, where: str, value: str) -> StoredFile | None:
        sql = f"SELECT * FROM files WHERE {where}"
        row = await self.database.read(lambda db: db.execute(sql, (value,)).fetchone())
        return None if row is None else file_of(row)


def file_of(row: sqlite3.Row) -> StoredFile:
    """Make a file of its row."""
    return StoredFile(
        id=row["id"],
        account_id=row["account_id"],
        token=row["token"],
        name=row["name"],
        content_type=row["content_type"],
        size=row["size"],
        sha256=row["sha256"],
        md5=row["md5"],
        created_at=moment(row["created_at"]),
        metadata=from_json(row["metadata"]),
        expires_at=moment(row["expires_at"]),
        prediction_id=row["prediction_id"],
    )
