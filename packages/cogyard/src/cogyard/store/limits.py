"""Limits of models in SQL, and what they count."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from cogyard.domain.ids import first_id
from cogyard.features.limits.ports import MINUTE, ModelLimits
from cogyard.store.database import Database

_ALL = (
    "SELECT a.username || '/' || m.name, limit_predictions, limit_window, limit_at_once"
    " FROM models m JOIN accounts a ON a.id = m.owner_id"
    " WHERE limit_predictions IS NOT NULL OR limit_at_once IS NOT NULL"
)
_SET = "UPDATE models SET limit_predictions = ?, limit_window = ?, limit_at_once = ? WHERE id = ?"
# Ids sort by age, and so do ranks: of the predictions of a version those since then are the end of an index.
_FIRST = "SELECT rank FROM predictions WHERE id >= ? ORDER BY id LIMIT 1"
_VERSIONS = (
    "SELECT m.id, v.id FROM models m JOIN accounts a ON a.id = m.owner_id JOIN versions v ON v.model_id = m.id"
    " WHERE a.username = ? AND m.name = ?"
)
LATELY = "SELECT 1 FROM predictions WHERE version = ? AND model_id = ? AND rank >= ? LIMIT ?"
_ASKED = f"SELECT count(*) FROM ({LATELY})"  # noqa: S608 - ours
_UNENDED = "SELECT p.id FROM queue q JOIN predictions p ON p.id = q.prediction_id WHERE p.model = ?"


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """The limits' store over the platform's database."""

    database: Database

    async def limits(self) -> Mapping[str, ModelLimits]:
        """Return those of each model that has some."""
        rows = await self.database.read(lambda db: db.execute(_ALL).fetchall())
        return {
            row[0]: ModelLimits(predictions=row[1], window=row[2] or MINUTE, at_once=row[3]) for row in rows
        }

    async def set(self, model_id: int, limits: ModelLimits) -> bool:
        """Keep a model's limits."""
        values = (limits.predictions, limits.window, limits.at_once, model_id)
        return await self.database.write(lambda db: db.execute(_SET, values).rowcount == 1)

    async def asked(self, model: str, since: datetime, most: int) -> int:
        """Return how many predictions of a model were asked for since then."""
        owner, name = model.split("/", 1)

        def work(db: sqlite3.Connection) -> int:
            first = db.execute(_FIRST, (first_id(since),)).fetchone()
            if first is None:
                return 0
            found = 0
            for model_id, version in db.execute(_VERSIONS, (owner, name)).fetchall():
                found += db.execute(_ASKED, (version, model_id, first[0], most - found)).fetchone()[0]
            return int(found)

        return await self.database.read(work)

    async def unended(self, model: str) -> tuple[str, ...]:
        """Return the predictions of a model that wait or run."""
        rows = await self.database.read(lambda db: db.execute(_UNENDED, (model,)).fetchall())
        return tuple(row[0] for row in rows)

    async def still_unended(self, ids: Collection[str]) -> frozenset[str]:
        """Return those that wait or run."""
        one = "SELECT 1 FROM queue WHERE prediction_id = ?"
        return await self.database.read(
            lambda db: frozenset(id_ for id_ in ids if db.execute(one, (id_,)).fetchone() is not None)
        )
