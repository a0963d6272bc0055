"""What retention asks of whoever keeps predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.retention import Keep, Scope, Setting, Subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where to look for predictions: at those of one account, model or deployment."""

    scope: Scope
    id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A prediction that still holds its data."""

    id: str
    subject: Subject
    completed_at: datetime | None = None
    """None while it waits or runs."""


class RetentionSettings(Protocol):
    """Keeps what was set."""

    async def settings(self) -> Mapping[Scope, Mapping[int, Setting]]:
        """Return everything that was set, by scope and id."""
        ...

    async def set(self, place: Place, keep: Keep | None) -> bool:
        """Keep a setting, or none; False when there is no such account, model or deployment."""
        ...


class HeldData(Protocol):
    """Knows which predictions hold data, and removes it."""

    async def held(self, place: Place | None, *, after: str, before: str, limit: int) -> Sequence[Held]:
        """Return those of a place (None: all) that hold data and are no examples, with ids between these, in order."""
        ...

    async def remove_data(self, ids: Sequence[str], now: datetime) -> int:
        """Remove what ended predictions hold, also their files and streams; return how many that were."""
        ...


class RetentionStore(RetentionSettings, HeldData, Protocol):
    """All of it."""
