"""What a version is used for, and the removal of its predictions, in SQL."""

# Statements are put together from constants of the store; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from cogyard.features.versions.policy import Uses
from cogyard.features.versions.ports import Removal
from cogyard.store.database import Database
from cogyard.store.deployments import STILL_RUNS
from cogyard.store.prediction_events import drop_held
from cogyard.store.rows import run
from cogyard.store.times import stored

_MODEL = "SELECT owner_id, visibility FROM models WHERE id = ?"
_WAITS = (
    "SELECT 1 FROM queue q JOIN predictions p ON p.id = q.prediction_id"
    " WHERE p.version = ? AND p.model_id = ? LIMIT 1"
)
_DEPLOYED = (
    "SELECT o.username || '/' || d.name FROM deployments d JOIN accounts o ON o.id = d.owner_id"
    " JOIN models m ON m.id = d.model_id JOIN releases r ON r.deployment_id = d.id AND r.number = d.release"
    f" WHERE d.model_id = ?1 AND (r.version = ?2 OR r.split_version = ?2) AND {STILL_RUNS} LIMIT 1"
)
# Whose trainings are not the owner's has run it anyway. Their output may have been removed since: what counts is that
# the destination still has another version.
_TRAINED = (
    "SELECT p.destination FROM predictions p JOIN accounts a JOIN models m ON m.owner_id = a.id"
    " WHERE p.account_id = ?1 AND p.kind = 'training' AND p.model_id = ?2 AND p.version = ?3"
    " AND p.status = 'succeeded' AND a.username || '/' || m.name = p.destination"
    " AND EXISTS (SELECT 1 FROM versions v WHERE v.model_id = m.id AND NOT (v.model_id = ?2 AND v.id = ?3)"
    "  AND v.created_at >= p.created_at)"
    " LIMIT 1"
)
OTHERS = (
    "SELECT 1 FROM predictions WHERE version = ? AND model_id = ? AND rank > ? AND account_id <> ? LIMIT 1"
)
_LAST = "SELECT coalesce(max(rank), 0) FROM predictions"
_NOTE = "INSERT INTO version_removals (model, version, upto, created_at) VALUES (?, ?, ?, ?)"
# The owner's alone: others' would have kept the version, unless they were of an earlier model of that name. Ranks are
# given out again when the highest are gone, so they alone do not say what came after the deletion.
OF_REMOVAL = (
    "SELECT p.id FROM version_removals r JOIN accounts a ON a.username = substr(r.model, 1, instr(r.model, '/') - 1)"
    " JOIN predictions p ON p.version = r.version AND p.model = r.model AND p.account_id = a.id"
    " WHERE r.rank = ? AND p.rank <= r.upto AND p.created_at <= r.created_at"
    " AND NOT EXISTS (SELECT 1 FROM queue WHERE prediction_id = p.id) LIMIT ?"
)


def run_by_others(db: sqlite3.Connection, model_id: int, version_id: str, after: int) -> tuple[bool, int]:
    """Return whether somebody else than the owner ran a version after that rank, and the last rank there is."""
    model = db.execute(_MODEL, (model_id,)).fetchone()
    owner = -1 if model is None else model["owner_id"]
    found = db.execute(OTHERS, (version_id, model_id, after, owner)).fetchone()
    return found is not None, int(db.execute(_LAST).fetchone()[0])


def uses(db: sqlite3.Connection, model_id: int, version_id: str, *, foreign: bool) -> Uses:
    """Return what a version is used for."""
    model = db.execute(_MODEL, (model_id,)).fetchone()
    deployment = db.execute(_DEPLOYED, (model_id, version_id)).fetchone()
    trained = db.execute(_TRAINED, (model["owner_id"], model_id, version_id)).fetchone()
    return Uses(
        public=model["visibility"] == "public",
        waits=db.execute(_WAITS, (version_id, model_id)).fetchone() is not None,
        foreign=foreign,
        deployment=None if deployment is None else deployment[0],
        trained=None if trained is None else trained[0],
    )


def note(db: sqlite3.Connection, model: str, version_id: str, now: datetime) -> None:
    """Note that a deleted version's predictions have to go."""
    last = db.execute(_LAST).fetchone()[0]
    db.execute(_NOTE, (model, version_id, last, stored(now)))


@dataclass(frozen=True, slots=True)
class SqlRemovals:
    """The removals' store over the platform's database."""

    database: Database

    async def removals(self) -> tuple[Removal, ...]:
        """Return what still has to be removed, the oldest first."""
        sql = "SELECT rank, model, version FROM version_removals ORDER BY rank"
        rows = await self.database.read(lambda db: db.execute(sql).fetchall())
        return tuple(Removal(rank=row["rank"], model=row["model"], version=row["version"]) for row in rows)

    async def remove_predictions(self, removal: Removal, limit: int, now: datetime) -> int:
        """Delete so many of a deleted version's predictions."""

        def work(db: sqlite3.Connection) -> int:
            ids = [row["id"] for row in db.execute(OF_REMOVAL, (removal.rank, limit))]
            for id_ in ids:
                drop_held(db, id_, now)
                db.execute("DELETE FROM outbox WHERE prediction_id = ?", (id_,))
                db.execute("DELETE FROM predictions WHERE id = ?", (id_,))
            return len(ids)

        return await self.database.write(work)

    async def forget(self, removal: Removal) -> None:
        """Note that nothing of it is left."""
        await self.database.write(run("DELETE FROM version_removals WHERE rank = ?", removal.rank))
