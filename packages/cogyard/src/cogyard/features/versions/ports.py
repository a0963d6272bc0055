"""What the versions service asks of whoever keeps versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Model, Version


class VersionStore(Protocol):
    """Keeps versions; the newest of a model is its latest."""

    async def add_version(self, model_id: int, version: Version) -> bool:
        """Keep a version; False, and nothing changed, when the model has it already."""
        ...

    async def version(self, model_id: int, version_id: str) -> Version | None:
        """Return a model's version, or None."""
        ...

    async def versions(self, model_id: int, window: Window) -> Slice[Version]:
        """Return a model's versions, newest first."""
        ...

    async def latest(self, model_ids: Sequence[int]) -> Mapping[int, Version]:
        """Return the latest versions of models, by the model's id."""
        ...

    async def with_id(self, version_id: str) -> tuple[tuple[Model, Version], ...]:
        """Return every model that has this version, oldest first: the same image may be pushed to several."""
        ...

    async def delete_version(self, model_id: int, version_id: str) -> bool:
        """Delete a version; False when there is none. Raises VersionInUseError."""
        ...


class VersionInUseError(Exception):
    """Predictions of that version wait or run, or a deployment runs it; the text says which."""
