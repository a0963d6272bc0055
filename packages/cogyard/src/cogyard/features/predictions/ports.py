"""What the predictions room asks of whoever keeps predictions.

Theory of operation. Every change goes through `change`: the store reads the prediction and its ticket in a
transaction, a pure function decides, and the store writes what was decided, in the same transaction. So no decision
is taken in SQL, and no two can be taken at once. The function may be called more than once and must not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from cogyard.domain.lifecycle import State, state_of
from cogyard.domain.paging import Slice, Window
from cogyard.domain.stream import Streamed, StreamEvent
from cogyard.domain.values import Kind, Prediction, Status
from cogyard.domain.waiting import Place, Urgency
from cogyard.domain.webhooks import OWN


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance holds a prediction by."""

    token: str
    instance: str
    expires_at: datetime


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction's place in the queue; it has none when it has ended."""

    deployable: str
    claims: int = 0
    deadline: datetime | None = None
    lease: Lease | None = None
    urgency: int = Urgency.NORMAL
    """Which of an account's own predictions goes first: the least."""
    idempotent: bool = False
    """Whether its author has declared that running it again does no harm."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook event that must be told."""

    id: str
    event: str
    due_at: datetime
    endpoint: str = OWN
    """Whom it is told: an endpoint of the account, or the prediction's own webhook."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction as it is kept, with its ticket and, while it lives, what was streamed."""

    prediction: Prediction
    ticket: Ticket | None = None
    streamed: Streamed = msgspec.field(default_factory=Streamed)

    @property
    def state(self) -> State:
        """Where the prediction is."""
        return state_of(
            self.prediction.status, leased=self.ticket is not None and self.ticket.lease is not None
        )

    def holds(self, lease_token: str) -> bool:
        """Whether this is the token of the present lease."""
        return (
            self.ticket is not None
            and self.ticket.lease is not None
            and self.ticket.lease.token == lease_token
        )


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a prediction becomes. Without a ticket it leaves the queue."""

    prediction: Prediction
    ticket: Ticket | None
    messages: tuple[Message, ...] = ()
    events: tuple[StreamEvent, ...] = ()
    """Events to keep after those that are there."""
    forget_streamed: bool = False
    """Drop what was streamed before `events`."""


Decide = Callable[[Record], Change | None]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What the oldest waiting predictions of a deployable became, oldest first."""

    changes: tuple[Change, ...]
    more: bool
    """Whether others wait behind them."""


class Stages(StrEnum):
    """How far predictions are that a list is about."""

    RUNNING = "running"
    """They wait or run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    """They were stopped, running or before they ran."""

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The statuses that are meant."""
        return _STATUSES[self]


_STATUSES = {
    Stages.RUNNING: (Status.STARTING, Status.PROCESSING),
    Stages.SUCCEEDED: (Status.SUCCEEDED,),
    Stages.FAILED: (Status.FAILED,),
    Stages.CANCELED: (Status.CANCELED, Status.ABORTED),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Which of an account's predictions a list is about."""

    account_id: int
    created_after: datetime | None = None
    created_before: datetime | None = None
    source: str | None = None
    version: str | None = None
    model: str | None = None
    """`owner/name`, as it is written."""
    asked_by: str | None = None
    """The member who asked, of an organization's."""
    stages: Stages | None = None
    deployment_id: int | None = None
    kind: Kind = Kind.PREDICTION


class PredictionStore(Protocol):
    """Keeps predictions and their changes."""

    async def add(self, prediction: Prediction, ticket: Ticket) -> None:
        """Keep a new prediction and its ticket, and count the run, in one step."""
        ...

    async def get(self, prediction_id: str) -> Record | None:
        """Return a prediction, with what was streamed while it has not ended."""
        ...

    async def stream_of(self, token: str) -> str | None:
        """Return the id of the prediction whose stream this is."""
        ...

    async def list(self, asked: Asked, window: Window) -> Slice[Prediction]:
        """Return predictions, newest first."""
        ...

    async def change(
        self,
        prediction_id: str,
        decide: Decide,
        *,
        events: Sequence[StreamEvent] = (),
        large: bool = False,
    ) -> Change | None:
        """Read, decide and write in one step; None when there is none or nothing was decided.

        `events` are kept before deciding, but only if something is decided. `large` says that much may be read or
        written for it, which nobody else must wait for.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Once:
    """A create that said a key: what was asked, and what came of it."""

    account_id: int
    key: str
    fingerprint: bytes
    prediction_id: str


class OnceStore(Protocol):
    """Keeps what was created under which key, so that it is created once."""

    async def add_once(self, prediction: Prediction, ticket: Ticket, once: Once) -> Once:
        """Keep a new prediction as `add` does, unless the account has said the key before; return what is kept."""
        ...

    async def once(self, account_id: int, key: str) -> Once | None:
        """Return what an account created under a key."""
        ...

    async def prune_once(self, before: datetime) -> int:
        """Forget keys that were said before then; return how many."""
        ...


class KeepingStore(Protocol):
    """Keeps no more than is wanted."""

    async def erase(self, prediction_id: str, now: datetime) -> bool:
        """Delete a prediction that has ended, and let its files expire; False when there is none that has."""
        ...


class QueueStore(Protocol):
    """Keeps the queue."""

    async def take(self, deployable: str, decide: Decide, most: int = 1) -> Taken:
        """Change the tickets that have no lease and whose turn it is, in one step; at most so many.

        Accounts take turns at a deployable; of an account's own the most urgent goes first, and then the oldest.
        """
        ...

    async def append(
        self, prediction_id: str, lease_token: str, events: Sequence[StreamEvent], messages: Sequence[Message]
    ) -> bool:
        """Keep streamed events; False, and nothing kept, when the lease is another's."""
        ...

    async def renew(self, prediction_id: str, lease_token: str, expires_at: datetime) -> bool:
        """Extend a lease; False when it is another's."""
        ...

    async def prolong(self, expires_at: datetime) -> None:
        """Let no lease end before then."""
        ...

    async def leased(self, *, expired_by: datetime | None, limit: int) -> tuple[str, ...]:
        """Return predictions whose lease has expired by then; None: all that have one."""
        ...

    async def overdue(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return predictions whose deadline has passed."""
        ...

    async def waiting(self) -> Mapping[str, int]:
        """Return how many tickets have no lease, by deployable."""
        ...

    async def waiting_by_account(self) -> Mapping[tuple[str, int], int]:
        """Return how many tickets have no lease, by deployable and account."""
        ...

    async def asked_since(self, moment: datetime) -> Mapping[int, int]:
        """Return how many predictions and trainings were made since then, by account; none is not in it."""
        ...

    async def of_deployment(self, deployment_id: int) -> tuple[str, ...]:
        """Return the predictions of a deployment that wait or run."""
        ...

    async def position(self, prediction_id: str) -> Place | None:
        """Return where a prediction waits; None when it does not."""
        ...

    async def by_lease(self, lease_token: str) -> Record | None:
        """Return the prediction that is held by this lease."""
        ...


class EventStore(Protocol):
    """Keeps what was streamed, for a while."""

    async def events(self, prediction_id: str, after_number: int) -> tuple[StreamEvent, ...]:
        """Return the kept events that follow that number, in order."""
        ...

    async def prune_events(self, before: datetime) -> int:
        """Drop what was written before then for predictions that have ended; return how many batches."""
        ...


class Store(PredictionStore, OnceStore, KeepingStore, QueueStore, EventStore, Protocol):
    """All of it."""


class Admission(Protocol):
    """Decides who may be written into the queue."""

    async def enter(self, model: str, prediction_id: str) -> None:
        """Admit a prediction that is about to be written. Raises BusyError."""
        ...

    def entered(self, model: str, prediction_id: str, *, written: bool) -> None:
        """Note that an admitted prediction is in the queue now, or that it will never be."""
        ...
