"""The life of a prediction on the platform: one table from (state, event) to (state, effects).

Theory of operation. A move is looked up, never computed; what has to happen because of it is returned as effects and
done by whoever asked, in the transaction that writes the new state. A pair that is not in the table cannot happen:
the event came too late (a stale instance, a second cancel) and must change nothing.

`State` knows more than the API's `Status`: a prediction that waits and one that an instance has taken are both
"starting" to a client, because old clients take any other word for an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from cogyard.domain.values import Status


class State(StrEnum):
    """Where a prediction is."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in TERMINAL

    @property
    def status(self) -> Status:
        """What the API says."""
        return _STATUS[self]


class Event(StrEnum):
    """What can happen to it."""

    CLAIM = "an instance takes it"
    START = "the model begins"
    SUCCEED = "the model succeeds"
    FAIL = "the model fails"
    STOP = "the instance stops it"
    CANCEL = "somebody cancels it"
    EXPIRE = "its deadline passes"
    GIVE_BACK = "the instance gives it back unseen"
    REQUEUE = "the instance is lost, and it may run again"
    GIVE_UP = "the instance is lost, and it may not run again"


class Effect(StrEnum):
    """What must be done because of a move."""

    LEASE = "give a lease"
    COUNT_ATTEMPT = "count an attempt"
    STAMP_STARTED = "note the start"
    STAMP_COMPLETED = "note the end"
    FORGET_RUN = "drop what the lost run left"
    LEAVE_QUEUE = "leave the queue"
    WAKE_INSTANCES = "wake instances"
    STOP_RUN = "tell the instance to stop"
    TELL_START = "webhook: start"
    TELL_COMPLETED = "webhook: completed"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED, State.ABORTED})

_STATUS: Mapping[State, Status] = MappingProxyType(
    {
        State.QUEUED: Status.STARTING,
        State.CLAIMED: Status.STARTING,
        State.RUNNING: Status.PROCESSING,
        State.SUCCEEDED: Status.SUCCEEDED,
        State.FAILED: Status.FAILED,
        State.CANCELED: Status.CANCELED,
        State.ABORTED: Status.ABORTED,
    }
)


@dataclass(frozen=True, slots=True)
class Move:
    """The state that follows, and what must be done."""

    state: State
    effects: frozenset[Effect]


_START = (Effect.COUNT_ATTEMPT, Effect.STAMP_STARTED, Effect.TELL_START)
_END = (Effect.STAMP_COMPLETED, Effect.LEAVE_QUEUE, Effect.TELL_COMPLETED)


def _to(state: State, *effects: Effect) -> Move:
    return Move(state, frozenset(effects))


TABLE: Mapping[tuple[State, Event], Move] = MappingProxyType(
    {
        (State.QUEUED, Event.CLAIM): _to(State.CLAIMED, Effect.LEASE),
        (State.QUEUED, Event.CANCEL): _to(State.CANCELED, *_END),
        (State.QUEUED, Event.EXPIRE): _to(State.ABORTED, *_END),
        (State.CLAIMED, Event.START): _to(State.RUNNING, *_START),
        # An answer without a word of the start: a model so quick that both came together, or one never asked.
        (State.CLAIMED, Event.SUCCEED): _to(State.SUCCEEDED, *_START, *_END),
        (State.CLAIMED, Event.FAIL): _to(State.FAILED, *_END),
        (State.CLAIMED, Event.STOP): _to(State.CANCELED, *_END),
        (State.CLAIMED, Event.CANCEL): _to(State.CANCELED, *_END, Effect.STOP_RUN),
        (State.CLAIMED, Event.EXPIRE): _to(State.ABORTED, *_END, Effect.STOP_RUN),
        (State.CLAIMED, Event.GIVE_BACK): _to(State.QUEUED, Effect.WAKE_INSTANCES),
        (State.CLAIMED, Event.REQUEUE): _to(State.QUEUED, Effect.FORGET_RUN, Effect.WAKE_INSTANCES),
        (State.CLAIMED, Event.GIVE_UP): _to(State.FAILED, *_END),
        (State.RUNNING, Event.SUCCEED): _to(State.SUCCEEDED, *_END),
        (State.RUNNING, Event.FAIL): _to(State.FAILED, *_END),
        (State.RUNNING, Event.STOP): _to(State.CANCELED, *_END),
        (State.RUNNING, Event.CANCEL): _to(State.CANCELED, *_END, Effect.STOP_RUN),
        (State.RUNNING, Event.EXPIRE): _to(State.CANCELED, *_END, Effect.STOP_RUN),
        (State.RUNNING, Event.REQUEUE): _to(State.QUEUED, Effect.FORGET_RUN, Effect.WAKE_INSTANCES),
        (State.RUNNING, Event.GIVE_UP): _to(State.FAILED, *_END),
    }
)


def move(state: State, event: Event) -> Move | None:
    """Return what follows, or None when the event cannot touch this state."""
    return TABLE.get((state, event))


def state_of(status: Status, *, leased: bool) -> State:
    """Return the state from what is stored: the status and whether an instance holds a lease."""
    if status is Status.STARTING:
        return State.CLAIMED if leased else State.QUEUED
    if status is Status.PROCESSING:
        return State.RUNNING
    return State(status.value)


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", f"  [*] --> {State.QUEUED}: created"]
    lines += [f"  {state} --> {to.state}: {event}" for (state, event), to in TABLE.items()]
    lines += [f"  {state} --> [*]" for state in State if state.terminal]
    return "\n".join(lines) + "\n"
