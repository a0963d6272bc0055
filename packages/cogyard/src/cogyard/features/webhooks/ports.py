"""What the delivery of webhooks asks of others: the outbox, and a way to call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cogyard.domain.paging import Slice, Window
from cogyard.domain.webhooks import OWN


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One event that must be told; `message_id` is the same at every try."""

    rank: int
    message_id: str
    prediction_id: str
    event: str
    attempts: int
    due_at: datetime
    endpoint: str = OWN
    account_id: int | None = None
    """Whose prediction it is about, as far as that is known."""


class Outbox(Protocol):
    """What has happened and must be told, written in the transaction in which it happened."""

    async def due(self, now: datetime, limit: int, *, but: Collection[int] = ()) -> tuple[Letter, ...]:
        """Return each one's oldest letter of each prediction, if it is due: events are told in order.

        None of the accounts `but`.
        """
        ...

    async def next_due(self) -> datetime | None:
        """Return when the next letter is due, or None when there is none."""
        ...

    async def told(self, letter: Letter) -> None:
        """Forget a letter: it was told, or given up. One that is gone already is no other's, whatever its rank."""
        ...

    async def hurry(self, now: datetime, waits: Sequence[timedelta]) -> int:
        """Let no letter be due later than `waits[attempts]` from now (a clock was set back); return how many were."""
        ...

    async def later(self, letter: Letter, attempts: int, due_at: datetime) -> None:
        """Try a letter again then, if it is still there."""
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
    endpoint: str = OWN
    rank: int = 0
    """Its place among all, given by the log."""


class DeliveryLog(Protocol):
    """Keeps what was tried, for a while."""

    async def note(self, delivery: Delivery) -> None:
        """Keep a try."""
        ...

    async def deliveries(
        self,
        account_id: int,
        window: Window,
        *,
        prediction_id: str | None = None,
        endpoint: str | None = None,
    ) -> Slice[Delivery]:
        """Return an account's tries, or those of one prediction or to one endpoint, newest first."""
        ...

    async def prune(self, before: datetime) -> int:
        """Forget tries from before then; return how many."""
        ...

    async def again(self, letter: Letter) -> bool:
        """Put a letter into the outbox (its rank is not used); False when that event waits there already."""
        ...


class WaitingLetters(Protocol):
    """Knows what is still to be told."""

    async def waiting(
        self, account_id: int, limit: int, *, prediction_id: str | None = None
    ) -> tuple[Letter, ...]:
        """Return what waits to be told of an account's predictions, or of one of them, the soonest due first."""
        ...


class NothingWaits:
    """For a platform that tells nobody."""

    async def waiting(
        self,
        account_id: int,  # noqa: ARG002 - of none
        limit: int,  # noqa: ARG002
        *,
        prediction_id: str | None = None,  # noqa: ARG002
    ) -> tuple[Letter, ...]:
        """Return nothing."""
        return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookEndpoint:
    """Where an account wants to be told of its predictions."""

    id: str
    account_id: int
    url: str
    events: tuple[str, ...]
    secret: str
    created_at: datetime
    model: str | None = None
    """Only predictions of this model, `owner/name`."""
    enabled: bool = True
    disabled_reason: str | None = None
    """Why the platform calls it no more."""
    previous: str | None = None
    """What it signed with before `rotated_at`."""
    rotated_at: datetime | None = None
    failing_since: datetime | None = None
    """When the first of the failures was that no good answer has followed."""


class EndpointReader(Protocol):
    """Knows endpoints."""

    async def get(self, id: str) -> WebhookEndpoint | None:
        """Return an endpoint."""
        ...

    async def list(self, account_id: int | None = None) -> tuple[WebhookEndpoint, ...]:
        """Return an account's endpoints, or everybody's, the oldest first."""
        ...


class EndpointStore(EndpointReader, Protocol):
    """Keeps endpoints."""

    async def add(self, endpoint: WebhookEndpoint) -> None:
        """Keep a new endpoint."""
        ...

    async def change(self, id: str, decide: ChangeEndpoint) -> WebhookEndpoint | None:
        """Read, decide and write in one step; return what is kept then, None when there is none of that id."""
        ...

    async def delete(self, id: str) -> None:
        """Delete an endpoint and what was still to be told to it."""
        ...


ChangeEndpoint = Callable[[WebhookEndpoint], WebhookEndpoint]


class CallFailedError(Exception):
    """The other side could not be called; the text says why, for the log."""


class Caller(Protocol):
    """Calls other servers."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and return the status. Raises CallFailedError. Redirects are not followed."""
        ...
