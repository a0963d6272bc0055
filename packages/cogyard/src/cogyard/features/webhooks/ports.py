"""What the delivery of webhooks asks of others: the outbox, and a way to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One event that must be told; `message_id` is the same at every try."""

    rank: int
    message_id: str
    prediction_id: str
    event: str
    attempts: int
    due_at: datetime


class Outbox(Protocol):
    """What has happened and must be told, written in the transaction in which it happened."""

    async def due(self, now: datetime, limit: int) -> tuple[Letter, ...]:
        """Return the oldest letter of each prediction, if it is due: events are told in order."""
        ...

    async def next_due(self) -> datetime | None:
        """Return when the next letter is due, or None when there is none."""
        ...

    async def told(self, rank: int) -> None:
        """Forget a letter: it was told, or given up."""
        ...

    async def later(self, rank: int, attempts: int, due_at: datetime) -> None:
        """Try a letter again then."""
        ...


class CallFailedError(Exception):
    """The other side could not be called; the text says why, for the log."""


class Caller(Protocol):
    """Calls other servers."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and return the status. Raises CallFailedError. Redirects are not followed."""
        ...
