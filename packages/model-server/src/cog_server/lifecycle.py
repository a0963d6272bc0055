"""The life of a prediction: one transition table, and nothing that acts.

Theory of operation: `step(state, event)` looks up the table and returns the next state and the effects that the caller
(the engine) performs, in order. A state change never performs anything itself, so every path through a prediction's
life can be read, drawn and tested without a clock, a socket or a worker. An event that the table does not name in a
terminal state changes nothing (a late frame, a second cancel); in a living state it is a mistake of ours and raises.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType


class State(Enum):
    """Where a prediction stands. The value is its name in the diagram."""

    NEW = "new"
    PREPARING = "preparing"
    WAITING = "waiting"
    RUNNING = "running"
    CANCELING = "canceling"
    STOPPING = "stopping"
    STORING = "storing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    __hash__ = object.__hash__


class Event(Enum):
    """What can happen to a prediction."""

    ACCEPTED = "accepted"
    ACCEPTED_WITH_FILES = "accepted with files"
    PREPARED = "files fetched"
    PREPARE_FAILED = "fetch failed"
    SLOT = "slot free"
    NO_FOLDER = "no folder can be made"
    OUTPUT = "output"
    LOG = "log"
    METRIC = "metric"
    SUCCEEDED = "worker: succeeded"
    SUCCEEDED_WITH_FILES = "worker: succeeded, files to store"
    FAILED = "worker: failed"
    CANCELED = "worker: canceled"
    DIED = "worker died"
    LOST = "no worker left"
    CANCEL = "cancel asked"
    TOO_LONG = "ran too long"
    GRACE_OVER = "grace over"
    STORED = "files stored"
    STORE_FAILED = "store failed"

    # As below: members are singletons, and hashing by name costs a Python call at every look-up.
    __hash__ = object.__hash__


class Effect(Enum):
    """What the engine does after a step."""

    PREPARE = "fetch input files"
    ENQUEUE = "take a place in the queue"
    UNQUEUE = "leave the queue"
    SEND = "send PREDICT"
    EMIT_START = "tell watchers: start"
    SEND_CANCEL = "send CANCEL, start the grace period"
    KILL_WORKER = "kill the worker"
    FREE_SLOT = "free the slot"
    STORE = "store output files"
    ABORT = "stop fetching or storing"
    COMPLETE = "answer, tell watchers: completed"

    __hash__ = object.__hash__


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED})

Step = tuple[State, tuple[Effect, ...]]


_OVER = (Effect.FREE_SLOT, Effect.COMPLETE)
_OVER_ABORT = (Effect.FREE_SLOT, Effect.ABORT, Effect.COMPLETE)

_ROWS: dict[State, dict[Event, Step]] = {
    State.NEW: {
        Event.ACCEPTED: (State.WAITING, (Effect.ENQUEUE,)),
        Event.ACCEPTED_WITH_FILES: (State.PREPARING, (Effect.PREPARE,)),
    },
    State.PREPARING: {
        Event.PREPARED: (State.WAITING, (Effect.ENQUEUE,)),
        Event.PREPARE_FAILED: (State.FAILED, (Effect.COMPLETE,)),
        Event.CANCEL: (State.CANCELED, (Effect.ABORT, Effect.COMPLETE)),
        Event.LOST: (State.FAILED, (Effect.ABORT, Effect.COMPLETE)),
    },
    State.WAITING: {
        Event.SLOT: (State.RUNNING, (Effect.SEND, Effect.EMIT_START)),
        Event.NO_FOLDER: (State.FAILED, (Effect.COMPLETE,)),
        Event.CANCEL: (State.CANCELED, (Effect.UNQUEUE, Effect.COMPLETE)),
        Event.LOST: (State.FAILED, (Effect.UNQUEUE, Effect.COMPLETE)),
    },
    State.RUNNING: {
        Event.OUTPUT: (State.RUNNING, ()),
        Event.LOG: (State.RUNNING, ()),
        Event.METRIC: (State.RUNNING, ()),
        Event.SUCCEEDED: (State.SUCCEEDED, _OVER),
        Event.SUCCEEDED_WITH_FILES: (State.STORING, (Effect.FREE_SLOT, Effect.STORE)),
        Event.FAILED: (State.FAILED, _OVER_ABORT),
        Event.CANCELED: (State.CANCELED, _OVER_ABORT),
        Event.DIED: (State.FAILED, _OVER_ABORT),
        Event.LOST: (State.FAILED, _OVER_ABORT),
        Event.CANCEL: (State.CANCELING, (Effect.SEND_CANCEL,)),
        Event.STORE_FAILED: (State.STOPPING, (Effect.SEND_CANCEL,)),
        Event.TOO_LONG: (State.STOPPING, (Effect.SEND_CANCEL,)),
    },
    # Someone asked for the end. What the worker completed before it heard of that stands.
    State.CANCELING: {
        Event.OUTPUT: (State.CANCELING, ()),
        Event.LOG: (State.CANCELING, ()),
        Event.METRIC: (State.CANCELING, ()),
        Event.SUCCEEDED: (State.SUCCEEDED, _OVER),
        Event.SUCCEEDED_WITH_FILES: (State.CANCELED, _OVER_ABORT),
        Event.FAILED: (State.FAILED, _OVER_ABORT),
        Event.CANCELED: (State.CANCELED, _OVER_ABORT),
        Event.DIED: (State.CANCELED, _OVER_ABORT),
        Event.LOST: (State.CANCELED, _OVER_ABORT),
        Event.GRACE_OVER: (State.CANCELING, (Effect.KILL_WORKER,)),
        Event.CANCEL: (State.CANCELING, ()),
        Event.STORE_FAILED: (State.CANCELING, ()),
        Event.TOO_LONG: (State.CANCELING, ()),
    },
    # An output could not be delivered while the model was still running, or its time is over: stop it, and say why.
    State.STOPPING: {
        Event.OUTPUT: (State.STOPPING, ()),
        Event.LOG: (State.STOPPING, ()),
        Event.METRIC: (State.STOPPING, ()),
        Event.SUCCEEDED: (State.FAILED, _OVER_ABORT),
        Event.SUCCEEDED_WITH_FILES: (State.FAILED, _OVER_ABORT),
        Event.FAILED: (State.FAILED, _OVER_ABORT),
        Event.CANCELED: (State.FAILED, _OVER_ABORT),
        Event.DIED: (State.FAILED, _OVER_ABORT),
        Event.LOST: (State.FAILED, _OVER_ABORT),
        Event.GRACE_OVER: (State.STOPPING, (Effect.KILL_WORKER,)),
        Event.CANCEL: (State.STOPPING, ()),
        Event.STORE_FAILED: (State.STOPPING, ()),
        Event.TOO_LONG: (State.STOPPING, ()),
    },
    State.STORING: {
        Event.STORED: (State.SUCCEEDED, (Effect.COMPLETE,)),
        Event.STORE_FAILED: (State.FAILED, (Effect.COMPLETE,)),
        Event.CANCEL: (State.CANCELED, (Effect.ABORT, Effect.COMPLETE)),
        Event.OUTPUT: (State.STORING, ()),
        Event.LOST: (State.STORING, ()),
    },
    State.SUCCEEDED: {},
    State.FAILED: {},
    State.CANCELED: {},
}

TABLE = MappingProxyType(
    {(state, event): step for state, row in _ROWS.items() for event, step in row.items()}
)
_find = dict(TABLE).get

_NOTHING: tuple[Effect, ...] = ()


def step(state: State, event: Event) -> Step:
    """Return the next state and the effects to perform, in order.

    Raises KeyError for an event that cannot happen in this state.
    """
    found = _find((state, event))
    if found is not None:
        return found
    if state in TERMINAL:
        return state, _NOTHING
    raise KeyError(f"a prediction that is {state.value} cannot meet the event {event.value!r}")


_PUBLIC = {
    State.NEW: "starting",
    State.PREPARING: "starting",
    State.WAITING: "starting",
    State.RUNNING: "processing",
    State.CANCELING: "processing",
    State.STOPPING: "processing",
    State.STORING: "processing",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CANCELED: "canceled",
}


def status(state: State) -> str:
    """Return the status that the HTTP API shows for a state."""
    return _PUBLIC[state]
