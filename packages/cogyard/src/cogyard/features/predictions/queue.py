"""The queue as instances see it: work, leases, reports, and who must stop.

It is structurally `WorkSource`, `Reports`, `Cancellations` and `Backlog` of the instances room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from cogyard.domain.ids import CAPABILITY_RANDOM_BYTES, new_capability
from cogyard.domain.lifecycle import Event
from cogyard.domain.retry import Recovery
from cogyard.domain.stream import StreamEvent, closing
from cogyard.domain.values import Prediction, Status
from cogyard.domain.webhooks import Audience
from cogyard.features.predictions import moves
from cogyard.features.predictions.bells import Bells
from cogyard.features.predictions.handovers import Handovers
from cogyard.features.predictions.limits import QUICK_LIMIT, weighed
from cogyard.features.predictions.live import Live, Topic
from cogyard.features.predictions.ports import Change, Decide, Lease, Message, Store
from cogyard.features.predictions.upkeep import Pulse, repeated, whenever
from cogyard.features.world import World

_log = logging.getLogger(__name__)

# An instance renews every few seconds; one that has not done so for this long is taken for lost.
LEASE_LIFE = timedelta(seconds=30)
# Streamed events are written together this often; watchers have them at once.
FLUSH_SECONDS = 0.5
SWEEP_SECONDS = 1.0
EVENTS_LIFE = timedelta(hours=1)
# How long a create that is said again with its key is the same one.
ONCE_LIFE = timedelta(hours=24)
PRUNE_SECONDS = 60.0
SWEEP_LIMIT = 500

# Events that are told while a prediction runs, when there is something new.
_STREAMED = frozenset({"output", "logs"})

_ENDINGS = {
    Status.SUCCEEDED.value: Event.SUCCEED,
    Status.FAILED.value: Event.FAIL,
    Status.CANCELED.value: Event.STOP,
}


class Outcome(Protocol):
    """How a run ended; see `cogyard.instances.work.Outcome`."""

    @property
    def status(self) -> str:
        """`succeeded`, `failed` or `canceled`."""

    @property
    def output(self) -> Any:
        """The output, unless it was streamed."""

    @property
    def streamed(self) -> bool:
        """Whether what was streamed is the output."""

    @property
    def error(self) -> str | None:
        """Why it failed."""

    @property
    def metrics(self) -> Mapping[str, Any] | None:
        """What the model measured."""

    @property
    def interrupted(self) -> bool:
        """Whether somebody killed what ran it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A prediction taken by one instance, until `expires_at` unless renewed."""

    prediction: Prediction
    lease_token: str
    expires_at: datetime
    topic: Topic

    @property
    def held(self) -> bool:
        """Whether nothing has ended or taken it since, as far as is known here."""
        return self.topic.lease_token == self.lease_token


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Hands out work and takes reports. `run()` must be running for leases and deadlines to expire."""

    store: Store
    handovers: Handovers
    """Knows which leases a model may have seen."""
    live: Live = field(default_factory=Live)
    world: World = field(default_factory=World)
    bells: Bells = field(default_factory=Bells)
    on_message: Callable[[], None] = lambda: None
    """Called when a webhook event has been written."""
    audience: Callable[[], Audience] = dict
    """Says who listens beside predictions' own webhooks; asked at each change, so it must be at hand."""
    on_end: Callable[[Prediction], None] = lambda _prediction: None
    """Called when a prediction has ended, whatever ended it."""
    _dirty: asyncio.Event = field(default_factory=asyncio.Event)
    _pulse: Pulse = field(default_factory=Pulse)

    async def claim(self, deployable: str, *, instance: str) -> Claim | None:
        """Take the next waiting prediction, or None when there is none."""
        claims = await self.claim_some(deployable, instance=instance, most=1)
        return claims[0] if claims else None

    async def claim_some(self, deployable: str, *, instance: str, most: int) -> Sequence[Claim]:
        """Take the next waiting predictions, at most so many."""
        self.bells.hush(deployable)
        expires_at = self.world.now() + LEASE_LIFE

        def lease() -> Lease:
            token = new_capability(self.world.random(CAPABILITY_RANDOM_BYTES))
            return Lease(token=token, instance=instance, expires_at=expires_at)

        try:
            taken = await self.store.take(deployable, moves.claim(lease), most)
        except BaseException:
            # What was not taken is still there, for whoever looks next.
            self.bells.ring(deployable)
            raise
        if taken.more:
            # Whoever looked in vain meanwhile must look again.
            self.bells.ring(deployable)
        return [await self._claimed(change) for change in taken.changes]

    async def _claimed(self, change: Change) -> Claim:
        ticket, last = change.ticket, 0
        if ticket is None or ticket.lease is None:
            raise ValueError(f"{change.prediction.id} was claimed and has no lease")
        if ticket.claims > 1:
            record = await self.store.get(change.prediction.id)
            last = record.streamed.last if record is not None else 0
        token = ticket.lease.token
        topic = self.live.hold(change.prediction, token, last)
        return Claim(
            prediction=change.prediction,
            lease_token=token,
            expires_at=ticket.lease.expires_at,
            topic=topic,
        )

    async def give_back(self, prediction_id: str, lease_token: str) -> bool:
        """Let a prediction wait again that was claimed and not begun; False when the lease was lost."""
        change = await self.store.change(prediction_id, moves.give_back(lease_token))
        if change is None or change.ticket is None:
            return False
        self.live.release(prediction_id, 0)
        self.bells.ring(change.ticket.deployable)
        return True

    def written(self, deployable: str, prediction_id: str) -> None:
        """Wake who may take a prediction that was written now, unless it was taken with the same commit."""
        # A claim of the same commit is answered behind this caller: it is noted by the loop's next pass.
        asyncio.get_running_loop().call_soon(self._call_for, deployable, prediction_id)

    def _call_for(self, deployable: str, prediction_id: str) -> None:
        topic = self.live.topics.get(prediction_id)
        if topic is None or topic.lease_token is None:
            self.bells.ring(deployable)

    async def wait_for_work(self, deployable: str, *, timeout: float) -> None:
        """Return when there may be work, or after `timeout` seconds."""
        await self.bells.wait(deployable, timeout)

    async def wait_for_any(self, *, timeout: float) -> None:
        """Return when work of any deployable may have arrived, or after `timeout` seconds."""
        await self.bells.wait_any(timeout)

    async def waiting(self) -> Mapping[str, int]:
        """Return how many predictions wait, by deployable."""
        return await self.store.waiting()

    async def renew(self, prediction_id: str, lease_token: str) -> bool:
        """Extend the lease; False when it was lost."""
        return await self.store.renew(prediction_id, lease_token, self.world.now() + LEASE_LIFE)

    async def started(self, prediction_id: str, lease_token: str, *, ago: float = 0.0) -> bool:
        """Note that the model has begun, so many seconds ago."""
        decide = moves.start(lease_token, self.world.now(), self._words(), ago=ago)
        change = await self.store.change(prediction_id, decide)
        if change is None:
            # Said twice, or too late; a lease that still holds has begun already.
            return await self.renew(prediction_id, lease_token)
        self._told(change)
        return True

    async def progress(
        self, prediction_id: str, lease_token: str, *, outputs: Sequence[Any] = (), logs: str = ""
    ) -> bool:
        """Send streamed outputs and logs to watchers, and keep them within half a second."""
        topic = self.live.held(prediction_id, lease_token)
        if topic is None:
            return False
        topic.add(topic.spoken.take(outputs, logs))
        self._dirty.set()
        return True

    async def finished(self, prediction_id: str, lease_token: str, outcome: Outcome) -> bool:
        """End the prediction, once; False when the lease was lost.

        What was interrupted waits again instead where that is safe.
        """
        if outcome.interrupted and await self._again(prediction_id, lease_token, outcome.error or ""):
            return True
        result = moves.Result(
            output=outcome.output, streamed=outcome.streamed, error=outcome.error, metrics=outcome.metrics
        )
        event = _ENDINGS.get(outcome.status, Event.FAIL)
        topic = self.live.held(prediction_id, lease_token)
        problem, size = weighed(outcome.output)
        problem = problem or (topic.spoken.problem if topic is not None else None)
        if problem is not None and event is Event.SUCCEED:
            event, result = Event.FAIL, moves.Result(error=problem, metrics=outcome.metrics)
        decide = moves.finish(lease_token, event, result, self.world.now(), self._words())
        change = await self._end(
            prediction_id, decide, lease_token=lease_token, streamed=result.streamed, size=size
        )
        return change is not None

    async def cancel(self, prediction_id: str, event: Event = Event.CANCEL) -> Change | None:
        """Stop a prediction, waiting or running; None when it has ended already."""
        decide = moves.stop(event, self.world.now(), self._words())
        return await self._end(prediction_id, decide)

    async def cancel_of_deployment(self, deployment_id: int) -> None:
        """Stop every prediction of a deployment, waiting or running."""
        for prediction_id in await self.store.of_deployment(deployment_id):
            await self.cancel(prediction_id)

    async def wait_canceled(self, prediction_id: str) -> None:
        """Return once the run must stop: it was canceled, its deadline passed, or its lease is void."""
        with self.live.watch(prediction_id) as topic:
            record = await self.store.get(prediction_id)
            if record is None or record.ticket is None:
                # It ended while it was being claimed.
                self.live.release(prediction_id, 0)
                return
            await topic.stopped.wait()

    async def holder(self, lease_token: str) -> Prediction | None:
        """Return the prediction that this lease holds."""
        record = await self.store.by_lease(lease_token)
        return None if record is None else record.prediction

    async def recover(self) -> Recovery:
        """Void every lease and return what became of what they held: called at start, before any instance lives."""
        again = failed = 0
        while ids := await self.store.leased(expired_by=None, limit=SWEEP_LIMIT):
            ended = await self._lose(ids, void=True)
            again, failed = again + len(ids) - ended, failed + ended
        self.handovers.begin()
        return Recovery(again=again, failed=failed)

    async def run(self) -> None:
        """Write streams, expire leases and deadlines; until cancelled."""
        await asyncio.gather(
            whenever(self._dirty, self.flush, delay=FLUSH_SECONDS),
            repeated(self.sweep, pause=SWEEP_SECONDS),
        )

    async def flush(self) -> None:
        """Write what was streamed and not written yet."""
        await asyncio.gather(*(self._flush(key, topic) for key, topic in self.live.dirty))

    async def sweep(self) -> None:
        """Decide about expired leases and passed deadlines."""
        now = self.world.now()
        if self._pulse.jumped(now, self.world.elapsed()):
            # The machine slept, or its clock was set: nobody could renew meanwhile, so nobody is late.
            await self.store.prolong(now + LEASE_LIFE)
        # Deadlines first: what is over is not run again.
        for prediction_id in await self.store.overdue(now, SWEEP_LIMIT):
            await self.cancel(prediction_id, Event.EXPIRE)
        await self._lose(await self.store.leased(expired_by=now, limit=SWEEP_LIMIT))

    async def prune(self) -> None:
        """Forget what was streamed by predictions that ended a while ago, and keys of creates."""
        now = self.world.now()
        await self.store.prune_events(now - EVENTS_LIFE)
        await self.store.prune_once(now - ONCE_LIFE)

    async def _again(self, prediction_id: str, lease_token: str, why: str) -> bool:
        decide = moves.interrupt(lease_token, why)
        change = await self.store.change(prediction_id, decide, large=True)
        if change is not None:
            self._waits_again(change)
        return change is not None

    def _waits_again(self, change: Change) -> None:
        _log.warning("instance lost", extra={"action": "instance_lost", "prediction": change.prediction.id})
        self.live.release(change.prediction.id, change.events[-1].id if change.events else 0)
        if change.ticket is not None:
            self.bells.ring(change.ticket.deployable)

    async def _lose(self, ids: Sequence[str], *, void: bool = False) -> int:
        """Decide about each; return how many ended by it."""
        ended = 0
        for prediction_id in ids:
            record = await self.store.get(prediction_id)
            decide = moves.lose(self.world.now(), self._words(), self.handovers.seen, void=void)
            change = await self.store.change(prediction_id, decide, large=True)
            if change is None:
                continue
            if record is not None and record.ticket is not None and record.ticket.lease is not None:
                self.handovers.drop(record.ticket.lease.token)
            if change.ticket is None:
                ended += 1
                _log.warning("instance lost", extra={"action": "instance_lost", "prediction": prediction_id})
                self._ended(change, streamed=True)
            else:
                self._waits_again(change)
        return ended

    async def _end(
        self,
        prediction_id: str,
        decide: Decide,
        *,
        lease_token: str | None = None,
        streamed: bool = True,
        size: int = 0,
    ) -> Change | None:
        stale = lease_token is not None and self.live.held(prediction_id, lease_token) is None
        topic = None if stale else self.live.topics.get(prediction_id)
        events = topic.drain() if topic is not None else ()
        # What nobody here holds may have streamed anything.
        large = topic is None or size + topic.spoken.size > QUICK_LIMIT
        try:
            change = await self.store.change(prediction_id, decide, events=events, large=large)
        except Exception:
            if topic is not None and events:
                topic.undrain(events)
            raise
        if change is not None:
            self._ended(change, streamed=streamed)
        elif topic is not None and lease_token is not None:
            # Nothing of this run counts any more.
            self.live.release(prediction_id, 0)
        elif topic is not None and events:
            topic.undrain(events)
        return change

    def _ended(self, change: Change, *, streamed: bool) -> None:
        # With nothing kept of the stream, its end is told here and made again for whoever comes later.
        events = change.events or closing(change.prediction, first=1, streamed=streamed)
        self.live.end(change.prediction, events)
        self._told(change)
        self.on_end(change.prediction)

    def _told(self, change: Change) -> None:
        if change.messages:
            self.on_message()

    async def _flush(self, prediction_id: str, topic: Topic) -> None:
        lease_token = topic.lease_token
        batch = topic.drain()
        if lease_token is None or not batch:
            return
        messages = self._messages(topic, batch)
        try:
            kept = await self.store.append(prediction_id, lease_token, batch, messages)
        except Exception:
            topic.undrain(batch)
            raise
        if not kept and topic.lease_token == lease_token:
            self.live.release(prediction_id, 0)
        elif messages:
            self.on_message()

    def _messages(self, topic: Topic, batch: Sequence[StreamEvent]) -> tuple[Message, ...]:
        if topic.prediction is None:
            return ()
        now, words = self.world.now(), self._words()
        names = {event.name for event in batch} & _STREAMED
        return tuple(message for name in sorted(names) for message in words.of(name, topic.prediction, now))

    def _words(self) -> moves.Words:
        message_id = "msg_" + new_capability(self.world.random(CAPABILITY_RANDOM_BYTES))
        return moves.Words(message_id, self.audience())
