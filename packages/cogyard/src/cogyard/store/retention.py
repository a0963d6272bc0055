"""How long predictions hold their data, in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cogyard.domain.retention import FOREVER, Keep, Scope, Setting, Subject
from cogyard.features.retention.ports import Held, Place
from cogyard.store.database import Database
from cogyard.store.prediction_events import drop_held
from cogyard.store.times import moment

_FOREVER = -1
_TABLES: Mapping[Scope, tuple[str, str]] = {
    Scope.ACCOUNT: ("accounts", "id"),
    Scope.MODEL: ("models", "owner_id"),
    Scope.DEPLOYMENT: ("deployments", "owner_id"),
}
_OWNED = (
    "SELECT t.id, a.username || '/' || t.name FROM {table} t JOIN accounts a ON a.id = t.owner_id"
    " WHERE t.keep_predictions IS NOT NULL"
)
_NAMES: Mapping[Scope, str] = {
    Scope.ACCOUNT: "SELECT id, username FROM accounts WHERE keep_predictions IS NOT NULL",
    Scope.MODEL: _OWNED.format(table="models"),
    Scope.DEPLOYMENT: _OWNED.format(table="deployments"),
}
_HELD = (
    "SELECT id, account_id, model_id, deployment_id, completed_at FROM predictions p WHERE {where}"
    " AND id > ? AND id < ? AND data_removed = 0"
    " AND NOT EXISTS (SELECT 1 FROM examples WHERE prediction_id = p.id) ORDER BY {order} LIMIT ?"
)
ALL = _HELD.format(where="1", order="id")
OF_ACCOUNT = _HELD.format(where="account_id = ?", order="id")
OF_DEPLOYMENT = _HELD.format(where="deployment_id = ?", order="id")
# No index is by model and id, and making one would cost every create. One by version there is; within it rows are in
# the order in which they were written, which is that of their ids but for a moment.
OF_VERSION = _HELD.format(where="version = ? AND model_id = ? AND rank > ?", order="rank")
_VERSIONS = "SELECT id FROM versions WHERE model_id = ?"
_RANK = "SELECT rank FROM predictions WHERE id <= ? ORDER BY id DESC LIMIT 1"
_EMPTY = (
    "UPDATE predictions SET input = '{}', secret_inputs = '', output = NULL, logs = '', data_removed = 1"
    " WHERE id = ? AND completed_at IS NOT NULL AND data_removed = 0"
)


@dataclass(frozen=True, slots=True)
class SqlRetention:
    """Settings of retention, and the data they are about, over the platform's database."""

    database: Database

    async def settings(self) -> Mapping[Scope, Mapping[int, Setting]]:
        """Return everything that was set."""

        def work(db: sqlite3.Connection) -> Mapping[Scope, Mapping[int, Setting]]:
            made: dict[Scope, Mapping[int, Setting]] = {}
            for scope, (table, owner) in _TABLES.items():
                sql = f"SELECT id, {owner}, keep_predictions FROM {table} WHERE keep_predictions IS NOT NULL"
                found = {row[0]: Setting(_keep(row[2]), row[1]) for row in db.execute(sql)}
                if found:
                    made[scope] = found
            return made

        return await self.database.read(work)

    async def names(self) -> Mapping[Scope, Mapping[int, str]]:
        """Return what those that have a setting are called."""

        def work(db: sqlite3.Connection) -> Mapping[Scope, Mapping[int, str]]:
            return {scope: {row[0]: row[1] for row in db.execute(sql)} for scope, sql in _NAMES.items()}

        return await self.database.read(work)

    async def set(self, place: Place, keep: Keep | None) -> bool:
        """Keep a setting, or none."""
        sql = f"UPDATE {_TABLES[place.scope][0]} SET keep_predictions = ? WHERE id = ?"
        value = None if keep is None else (_FOREVER if keep.seconds is None else keep.seconds)
        return await self.database.write(lambda db: db.execute(sql, (value, place.id)).rowcount == 1)

    async def held(self, place: Place | None, *, after: str, before: str, limit: int) -> Sequence[Held]:
        """Return predictions that hold data, in the order of their ids."""

        def work(db: sqlite3.Connection) -> list[sqlite3.Row]:
            if place is None:
                return db.execute(ALL, (after, before, limit)).fetchall()
            if place.scope is Scope.MODEL:
                return _of_model(db, place.id, after, before, limit)
            sql = OF_ACCOUNT if place.scope is Scope.ACCOUNT else OF_DEPLOYMENT
            return db.execute(sql, (place.id, after, before, limit)).fetchall()

        return [_held(row) for row in await self.database.read(work)]

    async def remove_data(self, ids: Sequence[str], now: datetime) -> int:
        """Remove what ended predictions hold."""

        def work(db: sqlite3.Connection) -> int:
            emptied = [id_ for id_ in ids if db.execute(_EMPTY, (id_,)).rowcount]
            for id_ in emptied:
                drop_held(db, id_, now)
            return len(emptied)

        return await self.database.write(work)


def _of_model(
    db: sqlite3.Connection, model_id: int, after: str, before: str, limit: int
) -> list[sqlite3.Row]:
    """Return the first of each version, and of those the first."""
    behind = db.execute(_RANK, (after,)).fetchone()
    rank = -1 if behind is None else behind[0]
    found: list[sqlite3.Row] = []
    for (version,) in db.execute(_VERSIONS, (model_id,)).fetchall():
        found += db.execute(OF_VERSION, (version, model_id, rank, after, before, limit))
    return sorted(found, key=lambda row: str(row["id"]))[:limit]


def _keep(value: int) -> Keep:
    return FOREVER if value == _FOREVER else Keep(value)


def _held(row: sqlite3.Row) -> Held:
    subject = Subject(
        account_id=row["account_id"], model_id=row["model_id"], deployment_id=row["deployment_id"]
    )
    return Held(id=row["id"], subject=subject, completed_at=moment(row["completed_at"]))
