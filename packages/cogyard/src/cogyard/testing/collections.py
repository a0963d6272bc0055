"""Collections in memory, for tests without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Model
from cogyard.features.collections.ports import Collection
from cogyard.testing.models import MemoryModels
from cogyard.testing.paging import sliced


@dataclass
class MemoryCollections:
    """Keeps the promises of `cogyard.features.collections.ports.Store`; nothing survives it."""

    kept_models: MemoryModels
    collections: dict[str, Collection] = field(default_factory=dict)
    members: dict[tuple[str, int], None] = field(default_factory=dict)
    """In the order in which they were added."""

    async def put(self, collection: Collection, now: datetime) -> bool:
        """Keep a collection, or change the one of that slug."""
        del now
        before = self.collections.get(collection.slug, collection)
        if before.owner != collection.owner:
            return False
        self.collections[collection.slug] = collection
        return True

    async def get(self, slug: str) -> Collection | None:
        """Return a collection."""
        return self.collections.get(slug)

    async def list(self, window: Window, *, owner: str | None = None) -> Slice[Collection]:
        """Return an owner's collections, or the platform's own, by slug."""
        found = [
            each for each in self.collections.values() if (each.owner or "").lower() == (owner or "").lower()
        ]
        return sliced(found, window, lambda each: (each.slug,), ascending=True)

    async def delete(self, slug: str) -> bool:
        """Delete a collection."""
        self.members = {key: None for key in self.members if key[0] != slug}
        return self.collections.pop(slug, None) is not None

    async def add_model(self, slug: str, model_id: int) -> None:
        """Put a model at the end of a collection."""
        self.members.setdefault((slug, model_id))

    async def remove_model(self, slug: str, model_id: int) -> bool:
        """Take a model out."""
        found = (slug, model_id) in self.members
        self.members.pop((slug, model_id), None)
        return found

    async def models(self, slug: str, limit: int) -> tuple[Model, ...]:
        """Return a collection's models, in the order in which they were added."""
        found = [self.kept_models.models.get(key[1]) for key in self.members if key[0] == slug]
        return tuple(model for model in found if model is not None)[:limit]
