"""Collections in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

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
    "INSERT INTO collections (slug, name, description, full_description, created_at) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (slug) DO UPDATE SET name = excluded.name, description = excluded.description,"
    " full_description = excluded.full_description"
)
_MODELS = (
    "SELECT m.*, a.username AS owner FROM collection_models c JOIN models m ON m.id = c.model_id"
    " JOIN accounts a ON a.id = m.owner_id WHERE c.slug = ? ORDER BY c.rank LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class SqlCollections:
    """The collections' store over the platform's database."""

    database: Database

    async def put(self, collection: Collection, now: datetime) -> None:
        """Keep a collection, or change the one of that slug."""
        texts = (collection.slug, collection.name, collection.description, collection.full_description)
        await self.database.write(run(_PUT, *texts, stored(now)))

    async def get(self, slug: str) -> Collection | None:
        """Return a collection."""
        sql = "SELECT * FROM collections WHERE slug = ?"
        row = await self.database.read(lambda db: db.execute(sql, (slug,)).fetchone())
        return None if row is None else collection_of(row)

    async def list(self, window: Window) -> Slice[Collection]:
        """Return collections by slug."""
        where, sort, values = seek(window, ("slug",), ascending=True)
        sql = f"SELECT * FROM collections WHERE {where} ORDER BY {sort} LIMIT ?"
        given = (*values, window.fetch)
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
    )
