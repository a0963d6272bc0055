"""What ended, counted by the hour, in SQL: one small write with each end, and a few hundred rows for a chart."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cogyard.domain.usage import UNSAID, Tally, bucket, hour_of
from cogyard.domain.values import Kind, Prediction
from cogyard.features.usage.ports import About, Runner
from cogyard.store.database import Database

_COUNT = (
    "INSERT INTO prediction_hours (account_id, hour, model_id, deployment_id, status, ran, waited, count)"
    " SELECT account_id, ?, model_id, coalesce(deployment_id, 0), k.status, k.ran, k.waited, 1 FROM predictions,"
    f" (SELECT ? AS status, ? AS ran, {UNSAID} AS waited UNION ALL SELECT '', {UNSAID}, ?) k"
    " WHERE id = ? AND model_id IS NOT NULL"
    " ON CONFLICT (account_id, hour, model_id, deployment_id, status, ran, waited) DO UPDATE SET count = count + 1"
)
# Spelled as in the index, which is partial and used only for a question that says the same.
OF_DEPLOYMENT = "deployment_id > 0 AND deployment_id = :whose"
TALLIES = (
    "SELECT hour / :step * :step, status, ran, waited, sum(count) FROM prediction_hours"
    " WHERE {} AND hour >= :first GROUP BY 1, 2, 3, 4"
)
_OF_MODEL = (
    "SELECT i.hour, sum(i.most) FROM versions v JOIN instance_hours i ON i.version = v.id AND i.deployment_id = 0"
    " WHERE v.model_id = ? AND i.hour >= ? GROUP BY 1"
)
_INSTANCES_OF_DEPLOYMENT = (
    "SELECT hour, sum(most) FROM instance_hours WHERE deployment_id = ? AND hour >= ? GROUP BY 1"
)
_NOTE = (
    "INSERT INTO instance_hours (version, deployment_id, hour, most) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET most = max(most, excluded.most)"
)


def count_end(db: sqlite3.Connection, prediction: Prediction) -> None:
    """Count a prediction that ends, in the transaction in which it does; trainings are not counted."""
    ended, began = prediction.completed_at, prediction.started_at
    if ended is None or prediction.kind is not Kind.PREDICTION:
        return
    ran = bucket(None if began is None else ended - began)
    waited = bucket(None if began is None else began - prediction.created_at)
    db.execute(_COUNT, (hour_of(ended), prediction.status.value, ran, waited, prediction.id))


@dataclass(frozen=True, slots=True)
class SqlUsage:
    """The usage's store over the platform's database."""

    database: Database

    async def tallies(self, about: About, first_hour: int, step: int) -> Sequence[Tally]:
        """Return what ended from that hour on, so many hours taken together."""
        where, whose = next(
            (condition, value)
            for condition, value in (
                ("account_id = :whose", about.account_id),
                ("model_id = :whose", about.model_id),
                (OF_DEPLOYMENT, about.deployment_id),
            )
            if value is not None
        )
        sql = TALLIES.format(where)
        given = {"whose": whose, "first": first_hour, "step": step}
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return [Tally(*row) for row in rows]

    async def instances(self, about: About, first_hour: int) -> Mapping[int, int]:
        """Return the most instances at once, by hour."""
        sql = _OF_MODEL if about.model_id is not None else _INSTANCES_OF_DEPLOYMENT
        given = (about.model_id if about.model_id is not None else about.deployment_id, first_hour)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return {row[0]: row[1] for row in rows}

    async def note(self, hour: int, most: Mapping[Runner, int]) -> None:
        """Keep how many there were at once in an hour."""
        rows = [(runner.version, runner.deployment_id, hour, count) for runner, count in most.items()]
        await self.database.write(lambda db: db.executemany(_NOTE, rows))

    async def prune(self, before_hour: int) -> None:
        """Forget what is older."""

        def work(db: sqlite3.Connection) -> None:
            for table in ("prediction_hours", "instance_hours"):
                db.execute(f"DELETE FROM {table} WHERE hour < ?", (before_hour,))

        await self.database.write(work)
