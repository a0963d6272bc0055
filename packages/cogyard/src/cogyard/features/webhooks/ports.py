"""What the delivery of webhooks asks of others: the outbox, and a way to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.paging import Slice, Window


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One try to tell an event. Without a `status` nobody answered, and `problem` says why."""

    account_id: int
    prediction_id: str
    message_id: str
    event: str
    attempt: int
    at: datetime
    milliseconds: int
    status: int | None = None
    problem: str | None = None
    rank: int = 0
    """Its place among all, given by the log."""


class DeliveryLog(Protocol):
    """Keeps what was tried, for a while."""

    async def note(self, delivery: Delivery) -> None:
        """Keep a try."""
        ...

    async def deliveries(
        self, account_id: int, window: Window, *, prediction_id: str | None = None
    ) -> Slice[Delivery]:
        """Return an account's tries, or those of one prediction of it, newest first."""
        ...

    async def prune(self, before: datetime) -> int:
        """Forget tries from before then; return how many."""
        ...

    async def again(self, letter: Letter) -> bool:
        """Put a letter into the outbox (its rank is not used); False when that event waits there already."""
        ...


class CallFailedError(Exception):
    """The other side could not be called; the text says why, for the log."""


class Caller(Protocol):
    """Calls other servers."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and return the status. Raises CallFailedError. Redirects are not followed."""
        ...
