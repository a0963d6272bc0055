"""Predictions in memory: the store that the predictions room works with, for tests without a database."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec.structs import replace

from cogyard.domain.ids import first_id
from cogyard.domain.paging import Slice, Window, afford, cut
from cogyard.domain.stream import StreamEvent, after, gathered
from cogyard.domain.values import Prediction
from cogyard.domain.waiting import Place
from cogyard.features.predictions.ports import Asked, Change, Decide, Message, Once, Record, Taken, Ticket
from cogyard.store.rows import to_json


def _shown_bytes(prediction: Prediction) -> int:
    texts = (to_json(prediction.input), to_json(prediction.output), prediction.error or "", prediction.logs)
    return sum(len(text.encode()) for text in texts)


@dataclass
class MemoryPredictions:
    """Keeps the promises of `cogyard.features.predictions.ports.Store`; nothing survives it."""

    predictions: dict[str, Prediction] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    streams: dict[str, list[StreamEvent]] = field(default_factory=dict)
    outbox: dict[tuple[str, str, str], Message] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    said: dict[tuple[int, str], Once] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=itertools.count)

    async def add(self, prediction: Prediction, ticket: Ticket) -> None:
        """Keep a new prediction and its ticket."""
        waiting = self._waiting(ticket.deployable)
        own = [self.turns[key] for key in waiting if self._account(key) == prediction.account_id]
        now = min((self.turns[key] for key in waiting), default=0)
        self.turns[prediction.id] = max(max(own, default=-1) + 1, now)
        self.predictions[prediction.id] = prediction
        self.tickets[prediction.id] = ticket
        self.ranks[prediction.id] = next(self._count)

    async def add_once(self, prediction: Prediction, ticket: Ticket, once: Once) -> Once:
        """Keep a new prediction unless the account has said the key before."""
        if (before := self.said.get((once.account_id, once.key))) is not None:
            return before
        await self.add(prediction, ticket)
        self.said[once.account_id, once.key] = once
        return once

    async def once(self, account_id: int, key: str) -> Once | None:
        """Return what an account created under a key."""
        return self.said.get((account_id, key))

    async def prune_once(self, before: datetime) -> int:
        """Forget keys that were said before then."""
        old = [
            key for key, once in self.said.items() if self.predictions[once.prediction_id].created_at < before
        ]
        for key in old:
            del self.said[key]
        return len(old)

    async def erase(self, prediction_id: str, now: datetime) -> bool:
        """Delete a prediction that has ended."""
        del now
        if prediction_id in self.tickets or self.predictions.pop(prediction_id, None) is None:
            return False
        self.streams.pop(prediction_id, None)
        return True

    async def get(self, prediction_id: str) -> Record | None:
        """Return a prediction, with what was streamed while it has not ended."""
        return self._record(prediction_id)

    async def stream_of(self, token: str) -> str | None:
        """Return the id of the prediction whose stream this is."""
        return next((key for key, kept in self.predictions.items() if kept.stream_token == token), None)

    async def of_deployment(self, deployment_id: int) -> tuple[str, ...]:
        """Return the predictions of a deployment that wait or run."""
        return tuple(key for key in self.tickets if self.predictions[key].deployment_id == deployment_id)

    async def position(self, prediction_id: str) -> Place | None:
        """Return where a prediction waits."""
        mine = self.tickets.get(prediction_id)
        if mine is None or mine.lease is not None:
            return None
        waiting = self._waiting(mine.deployable)
        own = [key for key in waiting if self._account(key) == self._account(prediction_id)]
        nth = sorted(own, key=self._urgency).index(prediction_id)
        place = self._round(sorted(own, key=self._round)[nth])
        return Place(position=sum(self._round(key) <= place for key in waiting), deployable=mine.deployable)

    def _waiting(self, deployable: str) -> list[str]:
        return [
            k for k, ticket in self.tickets.items() if ticket.deployable == deployable and not ticket.lease
        ]

    def _account(self, key: str) -> int:
        return self.predictions[key].account_id

    def _round(self, key: str) -> tuple[int, int]:
        return self.turns[key], self.ranks[key]

    def _urgency(self, key: str) -> tuple[int, int]:
        return self.tickets[key].urgency, self.ranks[key]

    async def by_lease(self, lease_token: str) -> Record | None:
        """Return the prediction that is held by this lease."""
        return next((self._record(key) for key in self.tickets if self._holds(key, lease_token)), None)

    async def list(self, asked: Asked, window: Window) -> Slice[Prediction]:
        """Return predictions, newest first."""
        bounds = (
            first_id(asked.created_after) if asked.created_after else "",
            first_id(asked.created_before) if asked.created_before else "~",
        )
        found = [
            prediction
            for prediction in self.predictions.values()
            if prediction.account_id == asked.account_id
            and bounds[0] <= prediction.id < bounds[1]
            and asked.source in {None, prediction.source}
            and asked.version in {None, prediction.version}
            and asked.model in {None, prediction.model}
            and (asked.stages is None or prediction.status in asked.stages.statuses)
            and asked.deployment_id in {None, prediction.deployment_id}
            and asked.kind is prediction.kind
        ]
        key = window.key[0] if window.key else None
        if window.backwards:
            rows = sorted((p for p in found if key is None or p.id > str(key)), key=lambda p: p.id)
        else:
            rows = sorted(
                (p for p in found if key is None or p.id < str(key)), key=lambda p: p.id, reverse=True
            )
        found, more = afford(rows, window, _shown_bytes)
        return cut(found, window, lambda each: (each.id,), more=more)

    async def change(
        self,
        prediction_id: str,
        decide: Decide,
        *,
        events: Sequence[StreamEvent] = (),
        large: bool = False,  # noqa: ARG002 - memory does not wait
    ) -> Change | None:
        """Read, decide and write in one step."""
        record = self._record(prediction_id, events)
        change = None if record is None else decide(record)
        if change is not None:
            self._apply(prediction_id, change, events)
        return change

    async def take(self, deployable: str, decide: Decide, most: int = 1) -> Taken:
        """Change the tickets of a deployable that have no lease and whose turn it is."""
        changes: list[Change] = []
        while len(changes) < most and (waiting := self._waiting(deployable)):
            first = min(waiting, key=self._round)
            own = (key for key in waiting if self._account(key) == self._account(first))
            taker = min(own, key=self._urgency)
            self.turns[first], self.turns[taker] = self.turns[taker], self.turns[first]
            change = await self.change(taker, decide)
            if change is None:
                break
            changes.append(change)
        return Taken(changes=tuple(changes), more=len(changes) == most and bool(self._waiting(deployable)))

    async def append(
        self, prediction_id: str, lease_token: str, events: Sequence[StreamEvent], messages: Sequence[Message]
    ) -> bool:
        """Keep streamed events, guarded by the lease."""
        if not self._holds(prediction_id, lease_token):
            return False
        self.streams.setdefault(prediction_id, []).extend(events)
        self._tell(prediction_id, messages)
        return True

    async def renew(self, prediction_id: str, lease_token: str, expires_at: datetime) -> bool:
        """Extend a lease, guarded by its token."""
        ticket = self.tickets.get(prediction_id)
        if ticket is None or ticket.lease is None or ticket.lease.token != lease_token:
            return False
        self.tickets[prediction_id] = replace(ticket, lease=replace(ticket.lease, expires_at=expires_at))
        return True

    async def prolong(self, expires_at: datetime) -> None:
        """Let no lease end before then."""
        for key, ticket in self.tickets.items():
            if ticket.lease is not None and ticket.lease.expires_at < expires_at:
                self.tickets[key] = replace(ticket, lease=replace(ticket.lease, expires_at=expires_at))

    async def leased(self, *, expired_by: datetime | None, limit: int) -> tuple[str, ...]:
        """Return predictions whose lease has expired by then; None: all that have one."""
        by = expired_by or datetime.max.replace(tzinfo=UTC)
        found = [
            (t.lease.expires_at, key)
            for key, t in self.tickets.items()
            if t.lease and t.lease.expires_at <= by
        ]
        return tuple(key for _, key in sorted(found)[:limit])

    async def overdue(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return predictions whose deadline has passed."""
        found = [(t.deadline, key) for key, t in self.tickets.items() if t.deadline and t.deadline <= now]
        return tuple(key for _, key in sorted(found)[:limit])

    async def waiting_by_account(self) -> Mapping[tuple[str, int], int]:
        """Return how many tickets have no lease, by deployable and account."""
        return Counter(
            (ticket.deployable, self._account(key))
            for key, ticket in self.tickets.items()
            if ticket.lease is None
        )

    async def waiting(self) -> Mapping[str, int]:
        """Return how many tickets have no lease, by deployable."""
        counts: dict[str, int] = {}
        for ticket in self.tickets.values():
            if ticket.lease is None:
                counts[ticket.deployable] = counts.get(ticket.deployable, 0) + 1
        return counts

    async def asked_since(self, moment: datetime) -> Mapping[int, int]:
        """Return how many predictions and trainings were made since then, by account."""
        first = first_id(moment)
        return Counter(each.account_id for each in self.predictions.values() if each.id >= first)

    async def events(self, prediction_id: str, after_number: int) -> tuple[StreamEvent, ...]:
        """Return the kept events that follow that number."""
        return after(self.streams.get(prediction_id, []), after_number)

    async def prune_events(self, before: datetime) -> int:
        """Drop the streams of predictions that ended before then."""
        ended = [
            key
            for key in self.streams
            if key not in self.tickets and (self.predictions[key].completed_at or before) < before
        ]
        for key in ended:
            del self.streams[key]
        return len(ended)

    def _record(self, prediction_id: str, fresh: Sequence[StreamEvent] = ()) -> Record | None:
        prediction, ticket = self.predictions.get(prediction_id), self.tickets.get(prediction_id)
        if prediction is None:
            return None
        if ticket is None:
            return Record(prediction=prediction)
        events = (*self.streams.get(prediction_id, []), *fresh)
        return Record(prediction=prediction, ticket=ticket, streamed=gathered(events))

    def _apply(self, prediction_id: str, change: Change, events: Sequence[StreamEvent]) -> None:
        self.predictions[prediction_id] = change.prediction
        if change.ticket is None:
            self.tickets.pop(prediction_id, None)
        else:
            self.tickets[prediction_id] = change.ticket
        kept = [] if change.forget_streamed else [*self.streams.get(prediction_id, []), *events]
        self.streams[prediction_id] = [*kept, *change.events]
        self._tell(prediction_id, change.messages)

    def _tell(self, prediction_id: str, messages: Sequence[Message]) -> None:
        for message in messages:
            key = (prediction_id, message.endpoint, message.event)
            before = self.outbox.get(key, message)
            self.outbox[key] = replace(message, due_at=before.due_at)

    def _holds(self, prediction_id: str, lease_token: str) -> bool:
        ticket = self.tickets.get(prediction_id)
        return ticket is not None and ticket.lease is not None and ticket.lease.token == lease_token
