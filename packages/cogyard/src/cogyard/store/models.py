"""Models and versions in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from cogyard.domain.paging import Key, Slice, Window, cut
from cogyard.domain.search import expression
from cogyard.domain.values import Model, Version, Visibility
from cogyard.features.models.ports import (
    DeploymentsLeftError,
    ModelExistsError,
    NewModel,
    Order,
    VersionsLeftError,
)
from cogyard.features.versions.ports import VersionInUseError, WhyKept
from cogyard.store import removing
from cogyard.store.database import Database
from cogyard.store.deployments import STILL_RUNS
from cogyard.store.remembered import Remembered
from cogyard.store.removed_images import remove_image
from cogyard.store.rows import from_json, seek, to_json
from cogyard.store.times import moment, stored

_MODEL = "m.*, a.username AS owner FROM models m JOIN accounts a ON a.id = m.owner_id"
_SEARCHED = frozenset({"description", "readme"})
_INDEX = (
    "INSERT INTO model_words (rowid, path, description, readme)"
    " SELECT m.id, search_words(a.username || '/' || m.name), search_words(m.description), search_words(m.readme)"
    " FROM models m JOIN accounts a ON a.id = m.owner_id WHERE m.id = ?"
)
# A word in the name says more of a model than one in its description, and that more than one in its README.
_WEIGHTS = "8.0, 3.0, 1.0"
FIND = (
    "SELECT m.*, a.username AS owner FROM model_words w JOIN models m ON m.id = w.rowid"
    " JOIN accounts a ON a.id = m.owner_id"
    " WHERE w.model_words MATCH ? AND (m.visibility = 'public' OR m.owner_id IN (SELECT value FROM json_each(?)))"
    f" ORDER BY bm25(w.model_words, {_WEIGHTS}), m.run_count DESC, m.id DESC LIMIT ?"
)
_RUNNING = (
    "SELECT 1 FROM deployments d JOIN accounts o ON o.id = d.owner_id JOIN models m ON m.id = d.model_id"
    f" WHERE d.model_id = ? AND {STILL_RUNS} LIMIT 1"
)
_ORDERS = {Order.LATEST_VERSION: "latest_version_at", Order.CREATED: "created_at"}
# What `update` may set: names come from here, never from a request.
_SETTABLE = frozenset(
    {
        *("visibility", "hardware", "description", "readme", "github_url", "paper_url", "license_url"),
        *("weights_url", "cover_image_url"),
    }
)


@dataclass(frozen=True, slots=True)
class SqlModels:
    """The models' and versions' store over the platform's database."""

    database: Database
    _versions: Remembered[str, tuple[tuple[Model, Version], ...]] = field(
        default_factory=lambda: Remembered(most=64)
    )
    """By the version's id."""

    async def add(self, model: NewModel) -> Model:
        """Keep a new model. Raises ModelExistsError."""
        values = {
            "owner_id": model.owner_id,
            "name": model.name,
            "visibility": model.visibility.value,
            "hardware": model.hardware,
            "description": model.description,
            "github_url": model.github_url,
            "paper_url": model.paper_url,
            "license_url": model.license_url,
            "cover_image_url": model.cover_image_url,
            "created_at": stored(model.created_at),
        }
        sql = f"INSERT INTO models ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"

        def work(db: sqlite3.Connection) -> Model:
            try:
                rowid = cast("int", db.execute(sql, tuple(values.values())).lastrowid)
            except sqlite3.IntegrityError as error:
                raise ModelExistsError(model.name) from error
            db.execute(_INDEX, (rowid,))
            return model_of(cast("sqlite3.Row", _by_id(db, rowid)))

        return await self.database.write(work)

    async def get(self, owner: str, name: str, *, private_too: bool = True) -> Model | None:
        """Return the model, or None."""
        sql = f"SELECT {_MODEL} WHERE a.username = ? AND m.name = ? AND (? OR m.visibility = 'public')"
        given = (owner, name, private_too)
        row = self.database.look(lambda db: db.execute(sql, given).fetchone())
        return None if row is None else model_of(row)

    async def public(self, window: Window, *, order: Order, ascending: bool) -> Slice[Model]:
        """Return public models that have a version."""
        column = _ORDERS[order]
        where, sort, values = seek(window, (f"m.{column}", "m.id"), ascending=ascending)
        sql = (
            f"SELECT {_MODEL} WHERE m.visibility = 'public' AND m.latest_version IS NOT NULL"
            f" AND {where} ORDER BY {sort} LIMIT ?"
        )
        return await self._slice(sql, (*values, window.fetch), window, lambda row: (row[column], row["id"]))

    async def by_owner(self, owner: str, window: Window, *, private_too: bool) -> Slice[Model]:
        """Return an owner's models, newest first."""
        where, sort, values = seek(window, ("m.id",))
        sql = (
            f"SELECT {_MODEL} WHERE a.username = ? AND (? OR m.visibility = 'public')"
            f" AND {where} ORDER BY {sort} LIMIT ?"
        )
        given = (owner, private_too, *values, window.fetch)
        return await self._slice(sql, given, window, lambda row: (row["id"],))

    async def search(
        self, words: tuple[str, ...], *, viewers: tuple[int, ...], limit: int
    ) -> tuple[Model, ...]:
        """Return models that have every word; those that fit best, then those that ran most, come first."""
        values = (expression(words), to_json(viewers), limit)
        rows = await self.database.read(lambda db: db.execute(FIND, values).fetchall())
        return tuple(model_of(row) for row in rows)

    async def update(self, model_id: int, changes: Mapping[str, str | None]) -> Model | None:
        """Set columns of a model and return it; None when it is gone."""
        if unknown := set(changes) - _SETTABLE:
            raise ValueError(f"no such columns: {unknown}")

        def work(db: sqlite3.Connection) -> Model | None:
            if changes:
                sets = ", ".join(f"{column} = ?" for column in changes)
                db.execute(f"UPDATE models SET {sets} WHERE id = ?", (*changes.values(), model_id))
            if _SEARCHED & set(changes):
                db.execute("DELETE FROM model_words WHERE rowid = ?", (model_id,))
                db.execute(_INDEX, (model_id,))
            row = db.execute(f"SELECT {_MODEL} WHERE m.id = ?", (model_id,)).fetchone()
            return None if row is None else model_of(row)

        return await self.database.write(work)

    async def delete(self, model_id: int, *, with_versions: bool) -> bool:
        """Delete a model; False when it is gone. Raises VersionsLeftError, DeploymentsLeftError."""

        def work(db: sqlite3.Connection) -> bool:
            if db.execute(_RUNNING, (model_id,)).fetchone():
                raise DeploymentsLeftError
            if with_versions:
                db.execute("DELETE FROM versions WHERE model_id = ?", (model_id,))
            elif db.execute("SELECT 1 FROM versions WHERE model_id = ? LIMIT 1", (model_id,)).fetchone():
                raise VersionsLeftError
            # Those that are left have an owner who may not run it any more, and nobody else could delete them.
            db.execute("DELETE FROM deployments WHERE model_id = ?", (model_id,))
            db.execute("DELETE FROM model_words WHERE rowid = ?", (model_id,))
            return db.execute("DELETE FROM models WHERE id = ?", (model_id,)).rowcount == 1

        return await self.database.write(work)

    async def add_version(self, model_id: int, version: Version) -> bool:
        """Keep a version and make it the latest; False when the model has it already."""
        values = (
            *(model_id, version.id, version.cog_version, to_json(version.openapi_schema)),
            *(to_json(version.labels), version.size, stored(version.created_at)),
        )

        def work(db: sqlite3.Connection) -> bool:
            added = (
                db.execute("INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?, ?, ?, ?)", values).rowcount
                == 1
            )
            if added:
                db.execute(
                    "UPDATE models SET latest_version = ?, latest_version_at = ? WHERE id = ?",
                    (version.id, stored(version.created_at), model_id),
                )
            return added

        return await self.database.write(work)

    async def version(self, model_id: int, version_id: str) -> Version | None:
        """Return a model's version, or None."""
        sql = f"{_VERSION} WHERE v.model_id = ? AND v.id = ?"
        row = self.database.look(lambda db: db.execute(sql, (model_id, version_id)).fetchone())
        return None if row is None else version_of(row)

    async def versions(self, model_id: int, window: Window) -> Slice[Version]:
        """Return a model's versions, newest first."""
        where, sort, values = seek(window, ("v.created_at", "v.id"))
        sql = f"{_VERSION} WHERE v.model_id = ? AND {where} ORDER BY {sort} LIMIT ?"
        given = (model_id, *values, window.fetch)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return cut([version_of(row) for row in rows], window, lambda each: (stored(each.created_at), each.id))

    async def latest(self, model_ids: Sequence[int]) -> Mapping[int, Version]:
        """Return the latest versions of models, by the model's id."""
        marks = ", ".join("?" * len(model_ids))
        sql = f"{_VERSION} WHERE v.model_id IN ({marks}) AND v.id = m.latest_version"
        rows = await self.database.read(lambda db: db.execute(sql, tuple(model_ids)).fetchall())
        return {row["model_id"]: version_of(row) for row in rows}

    async def with_id(self, version_id: str) -> tuple[tuple[Model, Version], ...]:
        """Return every model that has this version, oldest first; how often they ran may be as it was a while ago."""

        def read(db: sqlite3.Connection) -> tuple[tuple[Model, Version], ...] | None:
            found = db.execute(f"{_VERSION} WHERE v.id = ? ORDER BY v.created_at, v.model_id", (version_id,))
            pairs = [(_by_id(db, row["model_id"]), row) for row in found.fetchall()]
            # A model may have gone between the two looks, and its versions with it.
            return (
                tuple((model_of(model), version_of(row)) for model, row in pairs if model is not None) or None
            )

        found = self.database.look(
            lambda db: self._versions.find(self.database.changes.number(db), version_id, lambda: read(db))
        )
        return found or ()

    async def delete_version(self, model_id: int, version_id: str, why_kept: WhyKept, now: datetime) -> bool:
        """Delete a version; the newest that remains is the latest. Raises VersionInUseError."""
        # Who has run it is looked up beside the writer, since it may have been run a million times; what came
        # meanwhile is looked at in the transaction.
        foreign, seen = await self.database.read(
            lambda db: removing.run_by_others(db, model_id, version_id, 0)
        )

        def work(db: sqlite3.Connection) -> bool:
            version = db.execute(
                f"{_VERSION} WHERE v.model_id = ? AND v.id = ?", (model_id, version_id)
            ).fetchone()
            if version is None:
                return False
            since, _ = removing.run_by_others(db, model_id, version_id, seen)
            if reason := why_kept(removing.uses(db, model_id, version_id, foreign=foreign or since)):
                raise VersionInUseError(reason)
            db.execute("DELETE FROM versions WHERE model_id = ? AND id = ?", (model_id, version_id))
            db.execute(
                "UPDATE models SET (latest_version, latest_version_at) ="
                " (SELECT id, created_at FROM versions WHERE model_id = ?1 ORDER BY created_at DESC, id DESC LIMIT 1)"
                " WHERE id = ?1",
                (model_id,),
            )
            remove_image(db, version["model"], f"sha256:{version_id}")
            removing.note(db, version["model"], version_id, now)
            return True

        return await self.database.write(work)

    async def _slice(
        self, sql: str, values: tuple[object, ...], window: Window, key: Callable[[sqlite3.Row], Key]
    ) -> Slice[Model]:
        rows = await self.database.read(lambda db: db.execute(sql, values).fetchall())
        found = cut(rows, window, key)
        return Slice(items=tuple(map(model_of, found.items)), next=found.next, previous=found.previous)


_VERSION = (
    "SELECT v.*, a.username || '/' || m.name AS model"
    " FROM versions v JOIN models m ON m.id = v.model_id JOIN accounts a ON a.id = m.owner_id"
)


def _by_id(db: sqlite3.Connection, model_id: int) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(f"SELECT {_MODEL} WHERE m.id = ?", (model_id,)).fetchone()
    return row


def model_of(row: sqlite3.Row) -> Model:
    """Make a model of a row of `models` with its owner's name."""
    return Model(
        id=row["id"],
        owner=row["owner"],
        name=row["name"],
        visibility=Visibility(row["visibility"]),
        created_at=moment(row["created_at"]),
        description=row["description"],
        readme=row["readme"],
        hardware=row["hardware"],
        github_url=row["github_url"],
        paper_url=row["paper_url"],
        license_url=row["license_url"],
        weights_url=row["weights_url"],
        cover_image_url=row["cover_image_url"],
        run_count=row["run_count"],
        latest_version=row["latest_version"],
    )


@lru_cache(maxsize=64)
def _document(text: str) -> Mapping[str, Any]:
    """Read a schema; every prediction asks for its version's, which never changes."""
    found: Mapping[str, Any] = from_json(text)
    return found


def version_of(row: sqlite3.Row) -> Version:
    """Make a version of a row of `versions` with its model's path."""
    return Version(
        id=row["id"],
        model=row["model"],
        created_at=moment(row["created_at"]),
        cog_version=row["cog_version"],
        openapi_schema=_document(row["openapi_schema"]),
        labels=from_json(row["labels"]),
        size=row["size"],
    )
