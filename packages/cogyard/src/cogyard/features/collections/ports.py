"""What the collections service asks of whoever keeps collections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Model


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """A list of models under a name; `slug` is its place in addresses."""

    slug: str
    name: str
    description: str
    full_description: str | None = None
    owner: str | None = None
    """The account that it belongs to; None is the platform's own."""


class CollectionStore(Protocol):
    """Keeps collections."""

    async def put(self, collection: Collection, now: datetime) -> bool:
        """Keep a collection, or change the one of that slug; its models stay. False when that is another owner's."""
        ...

    async def get(self, slug: str) -> Collection | None:
        """Return a collection, or None."""
        ...

    async def list(self, window: Window, *, owner: str | None = None) -> Slice[Collection]:
        """Return an owner's collections, or the platform's own, by slug."""
        ...

    async def delete(self, slug: str) -> bool:
        """Delete a collection; its models stay. False when there is none."""
        ...


class MemberStore(Protocol):
    """Keeps which models are in which collection."""

    async def add_model(self, slug: str, model_id: int) -> None:
        """Put a model at the end of a collection; one that is there stays where it is."""
        ...

    async def remove_model(self, slug: str, model_id: int) -> bool:
        """Take a model out; False when it is not in it."""
        ...

    async def models(self, slug: str, limit: int) -> tuple[Model, ...]:
        """Return a collection's models, in the order in which they were added."""
        ...


class Store(CollectionStore, MemberStore, Protocol):
    """Both."""
