"""What the versions service asks of whoever keeps versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Model, Version
from cogyard.features.versions.policy import Uses


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

    async def delete_version(self, model_id: int, version_id: str, why_kept: WhyKept, now: datetime) -> bool:
        """Delete a version and its image's manifest, and note that its predictions have to go, in one step.

        False when there is none; raises VersionInUseError when `why_kept` says something of how it is used.
        """
        ...


#: Says why a version that is used like this must stay; None when it may go.
WhyKept = Callable[[Uses], str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """A version that was deleted, and whose predictions still have to go."""

    rank: int
    model: str
    version: str


class RemovalStore(Protocol):
    """Keeps what has to be removed."""

    async def removals(self) -> tuple[Removal, ...]:
        """Return what still has to be removed, the oldest first."""
        ...

    async def remove_predictions(self, removal: Removal, limit: int, now: datetime) -> int:
        """Delete so many of a deleted version's predictions, and let their files expire; return how many there were.

        Those that were asked for after the deletion, of the same image pushed again, stay.
        """
        ...

    async def forget(self, removal: Removal) -> None:
        """Note that nothing of it is left."""
        ...


class VersionInUseError(Exception):
    """The version must stay; the text says why."""
