"""The audit log in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cogyard.features.audit.ports import Entry, Wanted
from cogyard.store.database import Database
from cogyard.store.rows import run
from cogyard.store.times import moment, stored

_ADD = "INSERT INTO audit (at, actor, via, action, subject, client, refused) VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class SqlAudit:
    """An AuditStore over the platform's database."""

    database: Database

    async def add(self, entry: Entry) -> None:
        """Keep an entry."""
        values = (entry.actor, entry.via, entry.action, entry.subject, entry.client, entry.refused)
        await self.database.write(run(_ADD, stored(entry.at), *values))

    async def entries(self, wanted: Wanted) -> tuple[Entry, ...]:
        """Return the newest entries that are wanted, newest first."""
        conditions, values = ["1"], list[object]()
        if wanted.actor is not None:
            conditions.append("actor = ? COLLATE NOCASE")
            values.append(wanted.actor)
        if wanted.action is not None:
            conditions.append("(action = ? OR substr(action, 1, ?) = ?)")
            values += [wanted.action, len(wanted.action) + 1, f"{wanted.action}."]
        if wanted.since is not None:
            conditions.append("at >= ?")
            values.append(stored(wanted.since))
        sql = f"SELECT * FROM audit WHERE {' AND '.join(conditions)} ORDER BY rank DESC LIMIT ?"
        rows = await self.database.read(lambda db: db.execute(sql, (*values, wanted.limit)).fetchall())
        return tuple(
            Entry(
                at=moment(row["at"]),
                **{name: row[name] for name in ("actor", "via", "action", "subject", "client", "refused")},
            )
            for row in rows
        )

    async def prune(self, before: datetime) -> int:
        """Forget what is older."""
        sql = "DELETE FROM audit WHERE at < ?"
        return await self.database.write(lambda db: db.execute(sql, (stored(before),)).rowcount)
