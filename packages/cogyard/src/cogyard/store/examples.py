"""Examples in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cogyard.domain.paging import Slice, Window, cut
from cogyard.domain.values import Prediction
from cogyard.features.examples.ports import Example
from cogyard.store.database import Database
from cogyard.store.prediction_rows import prediction_of
from cogyard.store.rows import run, seek
from cogyard.store.times import stored

_EXAMPLE = "SELECT p.*, e.rank AS place FROM examples e JOIN predictions p"
_EXAMPLE_OF = (
    "SELECT p.*, e.model_id AS shown_by FROM examples e JOIN predictions p ON p.id = e.prediction_id"
)
_ADD = (
    "INSERT INTO examples (model_id, prediction_id, added_at, pinned_at) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (model_id, prediction_id) DO UPDATE SET pinned_at = coalesce(excluded.pinned_at, pinned_at)"
)


@dataclass(frozen=True, slots=True)
class SqlExamples:
    """The examples' store over the platform's database."""

    database: Database

    async def add(self, model_id: int, prediction_id: str, now: datetime, *, pinned: bool) -> None:
        """Make a prediction an example."""
        moment = stored(now)
        await self.database.write(run(_ADD, model_id, prediction_id, moment, moment if pinned else None))

    async def remove(self, model_id: int, prediction_id: str) -> bool:
        """Make it none."""
        sql = "DELETE FROM examples WHERE model_id = ? AND prediction_id = ?"
        return await self.database.write(lambda db: db.execute(sql, (model_id, prediction_id)).rowcount == 1)

    async def list(self, model_id: int, window: Window) -> Slice[Prediction]:
        """Return a model's examples, the one added last first."""
        where, sort, values = seek(window, ("e.rank",))
        sql = f"{_EXAMPLE} ON p.id = e.prediction_id WHERE e.model_id = ? AND {where} ORDER BY {sort} LIMIT ?"
        given = (model_id, *values, window.fetch)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        found = cut(rows, window, lambda row: (row["place"],))
        return Slice(items=tuple(map(prediction_of, found.items)), next=found.next, previous=found.previous)

    async def find(self, prediction_id: str) -> Example | None:
        """Return the example that a prediction is, or None."""
        sql = f"{_EXAMPLE_OF} WHERE e.prediction_id = ?"
        row = await self.database.read(lambda db: db.execute(sql, (prediction_id,)).fetchone())
        return None if row is None else Example(model_id=row["shown_by"], prediction=prediction_of(row))

    async def defaults(self, model_ids: Sequence[int]) -> Mapping[int, Prediction]:
        """Return models' default examples."""
        marks = ", ".join("?" * len(model_ids))
        first = (
            "SELECT rank FROM examples WHERE model_id = m.id"
            " ORDER BY pinned_at IS NULL, pinned_at DESC, rank LIMIT 1"
        )
        sql = (
            f"SELECT p.*, m.id AS shown_by FROM models m JOIN examples e ON e.rank = ({first})"
            f" JOIN predictions p ON p.id = e.prediction_id WHERE m.id IN ({marks})"
        )
        rows = await self.database.read(lambda db: db.execute(sql, tuple(model_ids)).fetchall())
        return {row["shown_by"]: prediction_of(row) for row in rows}
