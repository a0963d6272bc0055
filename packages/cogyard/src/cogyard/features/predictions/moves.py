"""Every change of a prediction, as a pure function of what is kept: the lifecycle's effects, carried out on values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from cogyard.domain import retry
from cogyard.domain.lifecycle import Effect, Event, Move, State, move
from cogyard.domain.stream import Item, closing, numbered
from cogyard.domain.values import Prediction
from cogyard.domain.waiting import Urgency
from cogyard.domain.webhooks import OWN, Audience, told
from cogyard.features.predictions.ports import Change, Decide, Lease, Message, Record, Ticket

HIDDEN = "**********"

#: More events than a run can stream before they are written, which is within half a second.
UNWRITTEN = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of a run: the words that go with its last event."""

    output: Any = None
    streamed: bool = False
    error: str | None = None
    metrics: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What webhook events of a change are written with: an id nobody guesses, and who listens."""

    message_id: str
    audience: Audience = field(default_factory=dict)

    def of(self, event: str, prediction: Prediction, now: datetime) -> tuple[Message, ...]:
        """Return an event's messages, one for each who is to be told."""
        found = told(
            event,
            own=prediction.webhook_events,
            model=prediction.model,
            listeners=self.audience.get(prediction.account_id, ()),
        )
        return tuple(
            Message(id=self._id(event, endpoint), event=event, due_at=now, endpoint=endpoint)
            for endpoint in found
        )

    def _id(self, event: str, endpoint: str) -> str:
        # The event is last in both: receivers and their logs read it there.
        return f"{self.message_id}-{event}" if endpoint == OWN else f"{self.message_id}-{endpoint}-{event}"


def claim(lease: Callable[[], Lease]) -> Decide:
    """Give waiting predictions to an instance, each by a lease of its own."""

    def decide(record: Record) -> Change | None:
        if move(record.state, Event.CLAIM) is None or record.ticket is None:
            return None
        ticket = replace(record.ticket, lease=lease(), claims=record.ticket.claims + 1)
        return Change(prediction=record.prediction, ticket=ticket)

    return decide


def give_back(lease_token: str) -> Decide:
    """Let a prediction wait again that its instance has taken and not begun; it counts as never taken."""

    def decide(record: Record) -> Change | None:
        found = move(record.state, Event.GIVE_BACK)
        if found is None or record.ticket is None or not record.holds(lease_token):
            return None
        ticket = replace(record.ticket, lease=None, claims=record.ticket.claims - 1)
        return Change(prediction=record.prediction, ticket=ticket)

    return decide


def start(lease_token: str, now: datetime, words: Words, *, ago: float = 0.0) -> Decide:
    """Note that the model has begun, `ago` seconds before now."""

    def decide(record: Record) -> Change | None:
        found = move(record.state, Event.START)
        if found is None or not record.holds(lease_token):
            return None
        begun = Result(metrics={"predict_time": ago})
        prediction = replace(record.prediction, **_stamps(record.prediction, found, now, begun))
        return Change(
            prediction=prediction,
            ticket=record.ticket,
            messages=_messages(prediction, found, now, words),
        )

    return decide


def finish(lease_token: str, event: Event, result: Result, now: datetime, words: Words) -> Decide:
    """End a prediction because its instance says how it ended."""

    def decide(record: Record) -> Change | None:
        return _end(record, event, result, now, words) if record.holds(lease_token) else None

    return decide


def stop(event: Event, now: datetime, words: Words) -> Decide:
    """End a prediction because somebody cancels it or its deadline has passed."""

    def decide(record: Record) -> Change | None:
        deadline = record.prediction.deadline
        if event is Event.EXPIRE and (deadline is None or deadline > now):
            return None
        return _end(record, event, Result(streamed=True), now, words)

    return decide


def lose(now: datetime, words: Words, seen: Callable[[str], retry.Seen], *, void: bool = False) -> Decide:
    """Decide about a prediction whose lease has expired (or, with `void`, is void): wait again, or fail.

    `seen` says of a lease whether a model may have seen what it holds.
    """

    def decide(record: Record) -> Change | None:
        lease = record.ticket.lease if record.ticket is not None else None
        if record.ticket is None or lease is None or not (void or lease.expires_at <= now):
            return None
        noted = seen(lease.token)
        if noted is retry.Seen.UNKNOWN and record.state is State.RUNNING:
            noted = retry.Seen.YES
        loss = _loss(record, record.ticket, noted)
        verdict = retry.after(loss)
        if verdict.event is Event.GIVE_UP:
            counted = replace(record, prediction=replace(record.prediction, attempts=loss.attempts))
            return _end(counted, verdict.event, Result(streamed=True, error=verdict.reason), now, words)
        return _again(record, record.ticket, loss, verdict.reason)

    return decide


def interrupt(lease_token: str, why: str) -> Decide:
    """Let a prediction wait again whose run somebody killed, as its instance says; nothing where that is not safe."""

    def decide(record: Record) -> Change | None:
        if record.ticket is None or not record.holds(lease_token):
            return None
        loss = _loss(record, record.ticket, retry.Seen.YES)
        if retry.after(loss).event is Event.GIVE_UP:
            return None
        return _again(record, record.ticket, loss, f"{why} Running again.".lstrip())

    return decide


def _again(record: Record, ticket: Ticket, loss: retry.Loss, reason: str) -> Change | None:
    found = move(record.state, Event.REQUEUE)
    if found is None:
        return None
    # The note takes the place of what the lost run streamed, and its number is beyond any that a watcher has:
    # what was streamed and not written yet had numbers too, and a watcher asks for what follows its last one.
    last = record.streamed.last
    note = (
        numbered(last + UNWRITTEN + 1, [Item("logs", reason + "\n")])
        if last or loss.seen is not retry.Seen.NO
        else ()
    )
    return Change(
        prediction=replace(
            record.prediction, status=found.state.status, started_at=None, attempts=loss.attempts
        ),
        ticket=replace(ticket, lease=None),
        events=note,
        forget_streamed=Effect.FORGET_RUN in found.effects,
    )


def _loss(record: Record, ticket: Ticket, seen: retry.Seen) -> retry.Loss:
    # A run that was lost before its start was reported is an attempt too.
    unreported = seen is not retry.Seen.NO and record.state is not State.RUNNING
    return retry.Loss(
        seen=seen,
        idempotent=ticket.idempotent,
        attempts=record.prediction.attempts + unreported,
        claims=ticket.claims,
    )


def _end(record: Record, event: Event, result: Result, now: datetime, words: Words) -> Change | None:
    found = _ending(record.state, event, result)
    if found is None:
        return None
    outputs: list[Any] | None = list(record.streamed.outputs)
    if found.state is not State.SUCCEEDED:
        outputs = outputs or None
    prediction = replace(
        record.prediction,
        **_stamps(record.prediction, found, now, result),
        output=outputs if result.streamed or (outputs and result.output is None) else result.output,
        logs=record.streamed.logs,
        input=_without_secrets(record.prediction),
    )
    # Where nothing was streamed nothing is kept: the end can be told again from the prediction itself.
    last = record.streamed.last
    events = closing(prediction, first=last + 1, streamed=result.streamed) if last else ()
    return Change(
        prediction=prediction,
        ticket=None,
        events=events,
        messages=_messages(prediction, found, now, words),
    )


def _ending(state: State, event: Event, result: Result) -> Move | None:
    """Return the last move; of what the model ran before its start was reported, with the start's effects."""
    found, begun = move(state, event), move(state, Event.START)
    if found is None or begun is None or _seconds(result.metrics, "predict_time") is None:
        return found
    return Move(found.state, found.effects | begun.effects)


def _stamps(prediction: Prediction, found: Move, now: datetime, result: Result) -> dict[str, Any]:
    """Return what of a prediction a move changes, by name."""
    changes: dict[str, Any] = {"status": found.state.status}
    started_at = prediction.started_at
    if Effect.COUNT_ATTEMPT in found.effects:
        changes["attempts"] = prediction.attempts + 1
    if Effect.STAMP_STARTED in found.effects:
        spent = _seconds(result.metrics, "predict_time")
        started_at = max(prediction.created_at, now if spent is None else _earlier(now, spent))
        changes["started_at"] = started_at
    if Effect.STAMP_COMPLETED in found.effects:
        # A clock that was set back must not end a prediction before it was asked for.
        ended = max(now, started_at or prediction.created_at)
        metrics = _metrics(prediction.created_at, started_at, ended, result.metrics)
        changes.update(completed_at=ended, error=result.error, metrics=metrics)
    return changes


def _metrics(
    created_at: datetime, started_at: datetime | None, ended: datetime, told: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    metrics = dict(told or {})
    if started_at is not None:
        metrics.setdefault("predict_time", (ended - started_at).total_seconds())
    metrics["total_time"] = (ended - created_at).total_seconds()
    return metrics


def _seconds(metrics: Mapping[str, Any] | None, name: str) -> float | None:
    value = (metrics or {}).get(name)
    return float(value) if isinstance(value, int | float) and 0 <= value < 10**8 else None


def _earlier(moment: datetime, seconds: float) -> datetime:
    return moment - timedelta(seconds=seconds)


def _without_secrets(prediction: Prediction) -> Mapping[str, Any]:
    if not prediction.secret_inputs:
        return prediction.input
    return {
        name: HIDDEN if name in prediction.secret_inputs else value
        for name, value in prediction.input.items()
    }


def _messages(prediction: Prediction, found: Move, now: datetime, words: Words) -> tuple[Message, ...]:
    telling = {Effect.TELL_START: "start", Effect.TELL_COMPLETED: "completed"}
    return tuple(
        message
        for effect, event in telling.items()
        if effect in found.effects
        for message in words.of(event, prediction, now)
    )


def waiting(
    deployable: str, deadline: datetime | None, urgency: int = Urgency.NORMAL, *, idempotent: bool = False
) -> Ticket:
    """Return the ticket of a new prediction."""
    return Ticket(deployable=deployable, deadline=deadline, urgency=urgency, idempotent=idempotent)
