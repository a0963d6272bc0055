"""The outbox in SQL."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from cogyard.features.webhooks.ports import Letter
from cogyard.store.database import Database
from cogyard.store.rows import run
from cogyard.store.times import moment, stored

# The oldest letter of each prediction: later ones wait for it, also while it waits to be tried again.
_DUE = """
SELECT * FROM outbox AS o WHERE due_at <= ?
  AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.prediction_id = o.prediction_id AND e.rank < o.rank)
ORDER BY due_at, rank LIMIT ?
"""
_NEXT = """
SELECT min(due_at) FROM outbox AS o
WHERE NOT EXISTS (SELECT 1 FROM outbox e WHERE e.prediction_id = o.prediction_id AND e.rank < o.rank)
"""


@dataclass(frozen=True, slots=True)
class SqlOutbox:
    """Webhook events that must be told."""

    database: Database

    async def due(self, now: datetime, limit: int) -> tuple[Letter, ...]:
        """Return the oldest letter of each prediction, if it is due."""
        rows = await self.database.read(lambda db: db.execute(_DUE, (stored(now), limit)).fetchall())
        return tuple(map(_letter, rows))

    async def next_due(self) -> datetime | None:
        """Return when the next letter is due."""
        due: int | None = await self.database.read(lambda db: db.execute(_NEXT).fetchone()[0])
        return moment(due)

    async def told(self, rank: int) -> None:
        """Forget a letter."""
        await self.database.write(run("DELETE FROM outbox WHERE rank = ?", rank))

    async def later(self, rank: int, attempts: int, due_at: datetime) -> None:
        """Try a letter again then."""
        sql = "UPDATE outbox SET attempts = ?, due_at = ? WHERE rank = ?"
        await self.database.write(run(sql, attempts, stored(due_at), rank))


def _letter(row: sqlite3.Row) -> Letter:
    return Letter(
        rank=row["rank"],
        message_id=row["message_id"],
        prediction_id=row["prediction_id"],
        event=row["event"],
        attempts=row["attempts"],
        due_at=moment(row["due_at"]),
    )
