"""Collections in SQL."""

# Statements are put together from constants of this file; values are always bound.

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from cogyard.domain.paging import Slice, Window, cut
from cogyard.domain.values import Model
from cogyard.features.collections.ports import Collection
from cogyard.store.database import Database
from cogyard.store.models import model_of
from cogyard.store.rows import run, seek
from cogyard.store.times import stored

_PUT = (
    "INSERT INTO collections (slug, name, description, full_description, created_at, owner_id)"
    " VALUES (?, ?, ?, ?, ?, (SELECT id FROM accounts WHERE username = ?))"
    " ON CONFLICT (slug) DO UPDATE SET name = excluded.name, description = excluded.description,"
    " full_description = excluded.full_description WHERE collections.owner_id IS excluded.owner_id"
)
_COLLECTION = "SELECT c.*, a.username AS owner FROM collections c LEFT JOIN accounts a ON a.id = c.owner_id"
_MODELS = (
    "SELECT m.*, a.username AS owner FROM collection_models c JOIN models m ON m.id = c.model_id"
    " JOIN accounts a ON a.id = m.owner_id WHERE c.slug = ? ORDER BY c.rank LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class SqlCollections:
    """The collections' store over the platform's database."""

    database: Database

    async def put(self, collection: Collection, now: datetime) -> bool:
        """Keep a collection, or change the one of that slug."""
        texts = (collection.slug, collection.name, collection.description, collection.full_description)
        values = (*texts, stored(now), collection.owner)
        return await self.database.write(lambda db: db.execute(_PUT, values).rowcount == 1)

    async def get(self, slug: str) -> Collection | None:
        """Return a collection."""
        sql = f"{_COLLECTION} WHERE c.slug = ?"
        row = await self.database.read(lambda db: db.execute(sql, (slug,)).fetchone())
        return None if row is None else collection_of(row)

    async def list(self, window: Window, *, owner: str | None = None) -> Slice[Collection]:
        """Return an owner's collections, or the platform's own, by slug."""
        where, sort, values = seek(window, ("c.slug",), ascending=True)
        whose = "c.owner_id IS NULL" if owner is None else "a.username = ?"
        sql = f"{_COLLECTION} WHERE {whose} AND {where} ORDER BY {sort} LIMIT ?"
        given = (*(() if owner is None else (owner,)), *values, window.fetch)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return cut([collection_of(row) for row in rows], window, lambda each: (each.slug,))

    async def delete(self, slug: str) -> bool:
        """Delete a collection."""
        sql = "DELETE FROM collections WHERE slug = ?"
        return await self.database.write(lambda db: db.execute(sql, (slug,)).rowcount == 1)

    async def add_model(self, slug: str, model_id: int) -> None:
        """Put a model at the end of a collection."""
        sql = "INSERT INTO collection_models (slug, model_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
        await self.database.write(run(sql, slug, model_id))

    async def remove_model(self, slug: str, model_id: int) -> bool:
        """Take a model out."""
        sql = "DELETE FROM collection_models WHERE slug = ? AND model_id = ?"
        return await self.database.write(lambda db: db.execute(sql, (slug, model_id)).rowcount == 1)

    async def models(self, slug: str, limit: int) -> tuple[Model, ...]:
        """Return a collection's models, in the order in which they were added."""
        rows = await self.database.read(lambda db: db.execute(_MODELS, (slug, limit)).fetchall())
        return tuple(map(model_of, rows))


def collection_of(row: sqlite3.Row) -> Collection:
    """Make a collection of its row."""
    return Collection(
        slug=row["slug"],
        name=row["name"],
        description=row["description"],
        full_description=row["full_description"],
        owner=row["owner"],
    )
