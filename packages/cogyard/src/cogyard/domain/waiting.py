"""Why a prediction waits, as its asker is told. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Urgency(IntEnum):
    """Which of an account's own predictions goes first where several wait for the same instances: the least."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Cause(StrEnum):
    """What a waiting prediction waits for."""

    BUSY = "busy"
    """All instances run something."""

    STARTING = "starting"
    """An instance gets ready."""

    FAILING = "failing"
    """Instances failed to start; there will be another try."""

    FULL = "full"
    """The machine has no place for an instance more."""

    SCHEDULING = "scheduling"
    """It is about to be decided."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """A cause, and a sentence for people."""

    cause: Cause
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a prediction is in its queue; 1 is next. `reason` is None where nobody knows."""

    position: int
    deployable: str
    reason: Reason | None = None
