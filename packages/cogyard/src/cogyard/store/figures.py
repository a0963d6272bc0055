"""How much waits and runs, counted in the database for the operator's metrics."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cogyard.store.database import Database
from cogyard.store.times import moment


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueFigures:
    """One deployable's queue. `oldest` is when the first of those that wait was created."""

    model: str
    waiting: int
    leased: int
    oldest: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What the database can count at a look."""

    queues: Mapping[str, QueueFigures] = field(default_factory=dict)
    webhooks_waiting: int = 0
    webhooks_oldest: datetime | None = None
    database_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SqlFigures:
    """Counts over the platform's database; each look reads the queue, which is small, and nothing else."""

    database: Database

    async def read(self) -> Figures:
        """Count now."""
        return await self.database.read(_read)


_QUEUES = "SELECT deployable, count(*), count(lease_token) FROM queue GROUP BY deployable"
_FIRST = """
SELECT p.model, p.created_at FROM queue q JOIN predictions p ON p.id = q.prediction_id
WHERE q.deployable = ? ORDER BY q.lease_token IS NOT NULL, q.rank LIMIT 1
"""
_OUTBOX = "SELECT count(*), min(created_at) FROM outbox"
_SIZE = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"


def _read(db: sqlite3.Connection) -> Figures:
    queues: dict[str, QueueFigures] = {}
    for deployable, count, leased in db.execute(_QUEUES).fetchall():
        model, created_at = db.execute(_FIRST, (deployable,)).fetchone() or ("", None)
        queues[deployable] = QueueFigures(
            model=model,
            waiting=count - leased,
            leased=leased,
            oldest=moment(created_at) if count > leased else None,
        )
    letters, oldest = db.execute(_OUTBOX).fetchone()
    (size,) = db.execute(_SIZE).fetchone()
    return Figures(
        queues=queues, webhooks_waiting=letters, webhooks_oldest=moment(oldest), database_bytes=size
    )
