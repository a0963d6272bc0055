"""Deployments and their releases in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from cogyard.domain.deployments import Configuration, Deployment, Release, Split
from cogyard.domain.paging import Slice, Window, cut
from cogyard.domain.values import Account
from cogyard.features.deployments.ports import (
    DeploymentExistsError,
    DeploymentInUseError,
    NewDeployment,
    Next,
    VersionGoneError,
)
from cogyard.store.database import Database
from cogyard.store.rows import run, seek
from cogyard.store.times import moment, stored

_RELEASE = (
    "r.*, b.username AS by_username, b.name AS by_name, b.type AS by_type, b.created_at AS by_created_at,"
    " b.avatar_url AS by_avatar_url, b.github_url AS by_github_url"
)
_BY = "JOIN accounts b ON b.id = r.created_by"
_DEPLOYMENT = (
    "SELECT d.id, d.name, d.model_id, d.created_at AS begun_at, o.username AS owner,"
    " p.username || '/' || m.name AS model,"
    f" {_RELEASE} FROM deployments d JOIN accounts o ON o.id = d.owner_id JOIN models m ON m.id = d.model_id"
    " JOIN accounts p ON p.id = m.owner_id"
    f" JOIN releases r ON r.deployment_id = d.id AND r.number = d.release {_BY}"
)
_BY_ID = f"{_DEPLOYMENT} WHERE d.id = ?"
#: Whether the owner (o) of a deployment (d) may still run its model (m).
STILL_RUNS = (
    "(m.visibility = 'public' OR m.owner_id = d.owner_id OR o.is_admin"
    " OR EXISTS (SELECT 1 FROM members x WHERE x.organization_id = m.owner_id AND x.account_id = d.owner_id"
    " AND x.joined_at IS NOT NULL))"
)
_SERVING = f"{_DEPLOYMENT} WHERE {STILL_RUNS}"
_UNSERVED = f"{_DEPLOYMENT} WHERE d.served < d.release"
_SERVED = (
    f"SELECT {_RELEASE} FROM deployments d JOIN releases r ON r.deployment_id = d.id AND r.number = d.served {_BY}"
    " WHERE d.id = ?"
)
_VERSION = "SELECT 1 FROM versions WHERE model_id = ? AND id = ?"
_NEXT_ID = "UPDATE deployment_ids SET last = last + 1 RETURNING last"
_USED = "SELECT 1 FROM queue q JOIN predictions p ON p.id = q.prediction_id WHERE p.deployment_id = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class SqlDeployments:
    """The deployments' store over the platform's database."""

    database: Database

    async def add(self, new: NewDeployment) -> Deployment:
        """Keep a new deployment as its release 1."""
        sql = "INSERT INTO deployments (id, owner_id, name, model_id, release, created_at) VALUES (?, ?, ?, ?, 1, ?)"
        values = (new.owner_id, new.name, new.model_id, stored(new.created_at))

        def work(db: sqlite3.Connection) -> Deployment:
            key = cast("int", db.execute(_NEXT_ID).fetchone()["last"])
            try:
                db.execute(sql, (key, *values))
            except sqlite3.IntegrityError as error:
                raise DeploymentExistsError(new.name) from error
            _require_versions(db, new.model_id, new.configuration.versions)
            _insert(db, (key, 1), new.configuration, new.created_at, new.created_by)
            return deployment_of(db.execute(_BY_ID, (key,)).fetchone())

        return await self.database.write(work)

    async def get(self, owner: str, name: str) -> Deployment | None:
        """Return a deployment with its current release."""
        sql = f"{_DEPLOYMENT} WHERE o.username = ? AND d.name = ?"
        row = await self.database.read(lambda db: db.execute(sql, (owner, name)).fetchone())
        return None if row is None else deployment_of(row)

    async def list(self, owner_id: int, window: Window) -> Slice[Deployment]:
        """Return an owner's deployments, newest first."""
        where, sort, values = seek(window, ("d.id",))
        sql = f"{_DEPLOYMENT} WHERE d.owner_id = ? AND {where} ORDER BY {sort} LIMIT ?"
        given = (owner_id, *values, window.fetch)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return cut([deployment_of(row) for row in rows], window, lambda each: (each.id,))

    async def delete(self, deployment_id: int) -> bool:
        """Delete a deployment that nothing waits for."""

        def work(db: sqlite3.Connection) -> bool:
            if db.execute(_USED, (deployment_id,)).fetchone():
                raise DeploymentInUseError
            return db.execute("DELETE FROM deployments WHERE id = ?", (deployment_id,)).rowcount == 1

        return await self.database.write(work)

    async def release(self, deployment_id: int, decide: Next, *, now: datetime, by: int) -> Deployment | None:
        """Read the current release, decide, and make the next one."""

        def work(db: sqlite3.Connection) -> Deployment | None:
            row = db.execute(_BY_ID, (deployment_id,)).fetchone()
            if row is None:
                return None
            current = release_of(row)
            configuration = decide(current)
            if configuration is not None:
                # What it runs it may go on with.
                fresh = configuration.versions - current.configuration.versions
                _require_versions(db, row["model_id"], fresh)
                number = current.number + 1
                _insert(db, (deployment_id, number), configuration, now, by)
                db.execute("UPDATE deployments SET release = ? WHERE id = ?", (number, deployment_id))
            return deployment_of(db.execute(_BY_ID, (deployment_id,)).fetchone())

        return await self.database.write(work)

    async def releases(self, deployment_id: int, window: Window) -> Slice[Release]:
        """Return a deployment's releases, newest first."""
        where, sort, values = seek(window, ("r.number",))
        sql = (
            f"SELECT {_RELEASE} FROM releases r {_BY} WHERE r.deployment_id = ? AND {where}"
            f" ORDER BY {sort} LIMIT ?"
        )
        given = (deployment_id, *values, window.fetch)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return cut([release_of(row) for row in rows], window, lambda each: (each.number,))

    async def numbered(self, deployment_id: int, number: int) -> Release | None:
        """Return the release of that number."""
        sql = f"SELECT {_RELEASE} FROM releases r {_BY} WHERE r.deployment_id = ? AND r.number = ?"
        row = await self.database.read(lambda db: db.execute(sql, (deployment_id, number)).fetchone())
        return None if row is None else release_of(row)

    async def current(self) -> tuple[Deployment, ...]:
        """Return every deployment."""
        rows = await self.database.read(lambda db: db.execute(_DEPLOYMENT).fetchall())
        return tuple(map(deployment_of, rows))

    async def serving(self) -> tuple[Deployment, ...]:
        """Return every deployment whose owner may still run its model."""
        rows = await self.database.read(lambda db: db.execute(_SERVING).fetchall())
        return tuple(map(deployment_of, rows))

    async def unserved(self) -> tuple[tuple[Deployment, Configuration], ...]:
        """Return the deployments whose current release does not serve yet."""

        def work(db: sqlite3.Connection) -> list[tuple[Deployment, Configuration]]:
            found = []
            for row in db.execute(_UNSERVED).fetchall():
                before = db.execute(_SERVED, (row["id"],)).fetchone()
                served = None if before is None else release_of(before).configuration
                if served is not None and all(
                    db.execute(_VERSION, (row["model_id"], version)).fetchone() for version in served.versions
                ):
                    found.append((deployment_of(row), served))
            return found

        return tuple(await self.database.read(work))

    async def served(self, deployment_id: int, number: int) -> None:
        """Keep that this release serves."""
        sql = "UPDATE deployments SET served = ?1 WHERE id = ?2 AND served < ?1"
        await self.database.write(run(sql, number, deployment_id))


def _require_versions(db: sqlite3.Connection, model_id: int, versions: Iterable[str]) -> None:
    # In the transaction that names them: a version's deletion looks at releases in its own, so one sees the other.
    for version in sorted(versions):
        if db.execute(_VERSION, (model_id, version)).fetchone() is None:
            raise VersionGoneError(version)


def _insert(
    db: sqlite3.Connection, key: tuple[int, int], wanted: Configuration, now: datetime, by: int
) -> None:
    split = (None, None) if wanted.split is None else (wanted.split.version, wanted.split.percent)
    scale = (wanted.min_instances, wanted.max_instances)
    values = (*key, wanted.version, wanted.hardware, *scale, *split, stored(now), by)
    db.execute(f"INSERT INTO releases VALUES ({', '.join('?' * len(values))})", values)


def deployment_of(row: sqlite3.Row) -> Deployment:
    """Make a deployment of its row, joined with its current release."""
    return Deployment(
        id=row["id"],
        owner=row["owner"],
        name=row["name"],
        model=row["model"],
        created_at=moment(row["begun_at"]),
        release=release_of(row),
    )


def release_of(row: sqlite3.Row) -> Release:
    """Make a release of its row, joined with who made it."""
    split = None
    if row["split_version"] is not None:
        split = Split(version=row["split_version"], percent=row["split_percent"])
    return Release(
        number=row["number"],
        configuration=Configuration(
            version=row["version"],
            hardware=row["hardware"],
            min_instances=row["min_instances"],
            max_instances=row["max_instances"],
            split=split,
        ),
        created_at=moment(row["created_at"]),
        created_by=Account(
            id=row["created_by"],
            username=row["by_username"],
            name=row["by_name"],
            type=row["by_type"],
            created_at=moment(row["by_created_at"]),
            avatar_url=row["by_avatar_url"],
            github_url=row["by_github_url"],
        ),
    )
