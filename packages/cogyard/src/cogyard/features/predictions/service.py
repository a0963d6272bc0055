"""Predictions as callers see them: ask, look, watch, wait, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cogyard.domain.deployables import of_deployment, of_training
from cogyard.domain.ids import (
    CAPABILITY_RANDOM_BYTES,
    ID_RANDOM_BYTES,
    is_capability,
    is_id,
    new_id,
    new_stream_token,
)
from cogyard.domain.paging import Slice, Window
from cogyard.domain.stream import StreamEvent, replay
from cogyard.domain.stream import after as after_number
from cogyard.domain.values import Account, Kind, Prediction, Status, Version
from cogyard.domain.waiting import Place, Reason, Urgency
from cogyard.domain.webhooks import URL_LIMIT, Targets, chosen_events, events_problem
from cogyard.features.predictions import policy
from cogyard.features.predictions.asking import Asking, Through
from cogyard.features.predictions.given import Given
from cogyard.features.predictions.inputs import Inputs, declared_idempotent, outputs_are_files
from cogyard.features.predictions.live import Watch
from cogyard.features.predictions.moves import waiting
from cogyard.features.predictions.ports import Admission, Asked, Record, Stages, Ticket
from cogyard.features.predictions.queue import Queue
from cogyard.features.predictions.shown import shown
from cogyard.features.world import World
from cogyard.http.errors import BusyError, ConflictError, ForbiddenError, InvalidError, NotFoundError

# Waiting predictions of one version; a client is told to come back rather than wait for hours.
QUEUE_LIMIT = 10_000
# How long a count of the queue may be used before it is taken anew.
COUNT_LIFE = timedelta(seconds=1)
# Of inputs, outputs and logs in one page of a list, which has at least one prediction however large.
PAGE_BYTES = 4 * 1024 * 1024


def _nobody_knows(_deployable: str) -> None:
    return None


class Open:
    """Lets everybody in; see `Admission`."""

    async def enter(self, model: str, prediction_id: str) -> None:
        """Admit it."""

    def entered(self, model: str, prediction_id: str, *, written: bool) -> None:
        """Note nothing."""


@dataclass
class _Counted:
    at: datetime | None = None
    waiting: Mapping[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """A prediction is seen by the account that it belongs to, of an organization by its members, and by nobody else."""

    queue: Queue
    given: Given
    inputs: Inputs = field(default_factory=Inputs)
    targets: Targets = field(default_factory=Targets)
    world: World = field(default_factory=World)
    queue_limit: int = QUEUE_LIMIT
    why: Callable[[str], Reason | None] = _nobody_knows
    """Says why what waits for a deployable waits."""
    admission: Admission = field(default_factory=Open)
    """Lets new predictions in, or not."""
    _counted: _Counted = field(default_factory=_Counted)

    async def create(
        self,
        caller: Account,
        *,
        version: Version,
        input: Mapping[str, Any],
        webhook: str | None = None,
        webhook_events: Sequence[str] | None = None,
        source: str = "api",
        origin: str = "",
        cancel_after: float | None = None,
        through: Through | None = None,
        destination: str | None = None,
        once: Asking | None = None,
        trace: str = "",
        account_id: int | None = None,
        watch: Watch | None = None,
        urgency: int = Urgency.NORMAL,
    ) -> Prediction:
        """Ask for a prediction; when this returns it is durable and will end exactly once.

        It belongs to the caller, or to the organization of number `account_id`.

        `version` is one that the caller may run (see Versions.resolve); `through` says whose instances run it; with a
        `destination` it is a training. Raises InvalidError with every problem of the input, BusyError when too many
        wait or the model's limits say so. With `once` the same request again returns the first one's prediction;
        ConflictError for another request. With `watch`, it can be waited for without another look.
        Of what an account has waiting at the same instances, that of the least `urgency` goes first.
        """
        if once is not None and (before := await self._said(caller, once)) is not None:
            return before
        kind = Kind.PREDICTION if destination is None else Kind.TRAINING
        secrets = await self.inputs.check_any(version, input, kind)
        events = self._webhook_events(webhook, webhook_events)
        deployable = _deployable(version, kind, through)
        await self._refuse_when_full(deployable, account_id or caller.id)
        now = self.world.now()
        key = new_id(now, self.world.random(ID_RANDOM_BYTES))
        await self.admission.enter(version.model, key)
        first = ""
        try:
            prediction = Prediction(
                id=key,
                model=version.model,
                version=version.id,
                account_id=account_id or caller.id,
                status=Status.STARTING,
                input=await self.given.kept(
                    caller, input, origin=origin, prediction_id=key, account_id=account_id or caller.id
                ),
                created_at=now,
                deadline=None if cancel_after is None else now + timedelta(seconds=cancel_after),
                source=source,
                stream_token=new_stream_token(
                    self.world.random(CAPABILITY_RANDOM_BYTES), of_files=outputs_are_files(version)
                ),
                webhook=webhook or None,
                webhook_events=events,
                origin=origin,
                secret_inputs=secrets,
                deployment=None if through is None else through.path,
                deployment_id=None if through is None else through.deployment_id,
                kind=kind,
                destination=destination,
                trace=trace,
                asked_by=policy.asker(caller, account_id),
            )
            if watch is not None:
                watch.begin(key)
            idempotent = declared_idempotent(version, kind)
            ticket = waiting(deployable, prediction.deadline, urgency, idempotent=idempotent)
            first = await self._add(caller, prediction, ticket, once)
        finally:
            self.admission.entered(version.model, key, written=first == key)
        if first != key:
            # The same request came twice at once, and the other was first.
            return await self.get(caller, first)
        self.queue.written(deployable, key)
        return prediction

    async def get(self, caller: Account | None, id: str) -> Prediction:
        """Return a prediction of the caller's or its organizations'. Raises NotFoundError, also for another's."""
        record = await self._record(id)
        if not policy.may_see(caller, record.prediction):
            raise NotFoundError
        return self._shown(record)

    async def list(
        self,
        caller: Account,
        window: Window,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        source: str | None = None,
        model: str | None = None,
        version: str | None = None,
        asked_by: str | None = None,
        stages: Stages | None = None,
        deployment_id: int | None = None,
        kind: Kind = Kind.PREDICTION,
        account_id: int | None = None,
    ) -> Slice[Prediction]:
        """Return the caller's predictions, newest first; fewer than the window asks for when they are large.

        With `account_id`, those of that organization. Raises NotFoundError when the caller is no member of it.
        """
        if account_id is not None and caller.role_at(account_id) is None:
            raise NotFoundError
        asked = Asked(
            account_id=account_id or caller.id,
            created_after=created_after,
            created_before=created_before,
            source=source,
            model=model,
            version=version,
            asked_by=asked_by,
            stages=stages,
            deployment_id=deployment_id,
            kind=kind,
        )
        return await self.queue.store.list(asked, replace(window, budget=window.budget or PAGE_BYTES))

    async def cancel(self, caller: Account, id: str) -> Prediction:
        """Stop a prediction; one that has ended is returned as it is.

        Raises NotFoundError; ForbiddenError for an organization's reader, who may stop predictions but no trainings.
        """
        before = await self.get(caller, id)
        if before.kind is Kind.TRAINING and not policy.may_change(caller, before):
            raise ForbiddenError(
                "As a reader of the organization you may not stop its trainings; a writer may."
            )
        if before.status.terminal:
            return before
        change = await self.queue.cancel(id)
        return await self.get(caller, id) if change is None else change.prediction

    async def delete(self, caller: Account, id: str) -> None:
        """Delete a prediction that has ended, with its files.

        Raises NotFoundError, ForbiddenError for an organization's reader, ConflictError while it runs.
        """
        prediction = await self.get(caller, id)
        if not policy.may_change(caller, prediction):
            raise ForbiddenError(
                "As a reader of the organization you may not delete its predictions; a writer may."
            )
        if not prediction.status.terminal or not await self.queue.store.erase(id, self.world.now()):
            raise ConflictError("It has not ended yet; cancel it first.")

    async def place(self, id: str) -> Place | None:
        """Return where a prediction waits, and why; None when it does not wait."""
        place = await self.queue.store.position(id)
        return None if place is None else replace(place, reason=self.why(place.deployable))

    def watching(self) -> AbstractContextManager[Watch]:
        """Watch what is created within, for a `wait` that follows."""
        return self.queue.live.watching()

    async def wait(self, id: str, seconds: float, watch: Watch | None = None) -> Prediction:
        """Return a prediction when it has ended, or as it is after that time. Raises NotFoundError.

        What was created within `watch` is looked up only when the time is over.
        """
        with self.queue.live.watch(id) as topic:
            if watch is None or not watch.has_seen(id):
                record = await self._record(id)
                if record.prediction.status.terminal:
                    return self._shown(record)
            loop = asyncio.get_running_loop()
            end = loop.time() + seconds
            while topic.ended is None:
                left = end - loop.time()
                if left <= 0 or not await topic.changed(left):
                    return self._shown(await self._record(id))
            return topic.ended

    async def find_stream(self, stream_token: str) -> str:
        """Return the id of the prediction whose stream this is. Raises NotFoundError."""
        found = await self.queue.store.stream_of(stream_token) if is_capability(stream_token) else None
        if found is None:
            raise NotFoundError
        return found

    async def events(
        self, stream_token: str, after: int | None = None, *, beat: float | None = None
    ) -> AsyncGenerator[Sequence[StreamEvent]]:
        """Yield what happens to a prediction, from the start or after an event's number, until `done`.

        What comes together is yielded together; nothing, after each `beat` seconds in which nothing comes. Whoever has
        the token may watch. Raises NotFoundError before the first event.
        """
        key, last = await self.find_stream(stream_token), after or 0
        with self.queue.live.watch(key) as topic:
            # While an instance of ours holds it, whatever is not remembered here has a number before what is.
            looked = topic.lease_token is not None
            while True:
                fresh, over = topic.since(last), False
                if fresh is None or not looked:
                    # What is not remembered here was written before it was forgotten; unless a lost run left it.
                    gap = topic.recent[0].id - 1 if fresh is None and topic.recent else last
                    looked = True
                    fresh, over = await self._kept(key, last)
                    last = last if fresh else gap
                if fresh:
                    yield fresh
                    last = fresh[-1].id
                    over = over or fresh[-1].name == "done"
                if over:
                    return
                # Nothing may be awaited between this look and the wait, or a wake-up would be missed.
                if topic.since(last) == ():
                    if topic.ended is not None:
                        return
                    if not await topic.changed(beat):
                        yield ()

    async def _kept(self, id: str, last: int) -> tuple[tuple[StreamEvent, ...], bool]:
        """Return the kept events after number `last`, and whether there will be no more."""
        record = await self._record(id)
        kept = await self.queue.store.events(id, 0)
        if record.ticket is None and not any(event.name == "done" for event in kept):
            # It has ended and its stream is not kept: it is told again from the prediction itself.
            kept = replay(record.prediction)
        return after_number(kept, last), record.ticket is None

    async def _add(self, caller: Account, prediction: Prediction, ticket: Ticket, once: Asking | None) -> str:
        """Write a new prediction; return its id, or the first one's that was created under the same key."""
        # An idle instance that hears this claims in the transaction that writes it (decision 0032); who comes too
        # early for that hears it again once it is written.
        self.queue.bells.ring(ticket.deployable)
        if once is None:
            await self.queue.store.add(prediction, ticket)
            return prediction.id
        return once.matching(
            await self.queue.store.add_once(prediction, ticket, once.of(caller, prediction.id))
        )

    async def _said(self, caller: Account, once: Asking) -> Prediction | None:
        """Return what the caller created under a key before. Raises ConflictError when it was something else."""
        before = await self.queue.store.once(caller.id, once.key)
        if before is None:
            return None
        try:
            return await self.get(caller, once.matching(before))
        except NotFoundError as error:
            raise ConflictError("The prediction that was created with this key has been deleted.") from error

    async def _record(self, id: str) -> Record:
        record = await self.queue.store.get(id) if is_id(id) else None
        if record is None:
            raise NotFoundError
        return record

    def _shown(self, record: Record) -> Prediction:
        return shown(record, self.queue.live.topics.get(record.prediction.id))

    def _webhook_events(self, webhook: str | None, wanted: Sequence[str] | None) -> tuple[str, ...]:
        if not webhook:
            return ()
        if len(webhook) > URL_LIMIT or (problem := self.targets.problem(webhook)) is not None:
            what = problem if len(webhook) <= URL_LIMIT else f"it is longer than {URL_LIMIT} characters"
            raise InvalidError(f"webhook: {what}", problems=[("webhook", str(what))])
        if (what := events_problem(wanted or ())) is not None:
            raise InvalidError(f"webhook_events_filter: {what}", problems=[("webhook_events_filter", what)])
        return chosen_events(wanted)

    async def _refuse_when_full(self, deployable: str, account_id: int) -> None:
        now = self.world.now()
        counted = self._counted
        if counted.at is None or not now - COUNT_LIFE < counted.at <= now:
            counted.at = now
            counted.waiting = await self.queue.store.waiting_by_account()
        waits = counted.waiting.get((deployable, account_id), 0)
        if waits >= self.queue_limit:
            raise BusyError(
                f"{waits} of your predictions wait for the same instances already; at most {self.queue_limit} may.",
                retry_after=5,
            )


def _deployable(version: Version, kind: Kind, through: Through | None) -> str:
    if kind is Kind.TRAINING:
        return of_training(version.id)
    return version.id if through is None else of_deployment(version.id, through.deployment_id)
