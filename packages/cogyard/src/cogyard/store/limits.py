"""Limits of models in SQL, and what they count."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cogyard.features.limits.ports import MINUTE, ModelLimits
from cogyard.store.database import Database

_ALL = (
    "SELECT a.username || '/' || m.name, limit_predictions, limit_window, limit_at_once"
    " FROM models m JOIN accounts a ON a.id = m.owner_id"
    " WHERE limit_predictions IS NOT NULL OR limit_at_once IS NOT NULL"
)
_SET = "UPDATE models SET limit_predictions = ?, limit_window = ?, limit_at_once = ? WHERE id = ?"
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
