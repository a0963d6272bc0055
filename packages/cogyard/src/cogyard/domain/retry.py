"""What becomes of a prediction whose instance was lost: a pure policy.

It runs again where that is safe: the model never saw it, or its author has declared it idempotent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cogyard.domain.lifecycle import Event

# How often the model may begin, and how often an instance may take a prediction that never gets that far.
MAX_ATTEMPTS = 3
MAX_CLAIMS = 10


class Seen(StrEnum):
    """Whether a prediction was handed over to a model."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """Nobody can tell any more, so it has to be taken for yes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """An instance stopped renewing its lease. `attempts`: times a model saw it; `claims`: times it was taken."""

    seen: Seen
    idempotent: bool
    attempts: int
    claims: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The event that follows, and why, for the prediction's error or logs."""

    event: Event
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """What a start made of the predictions that the platform before it held: how many wait again, how many failed."""

    again: int = 0
    failed: int = 0


_UNDECLARED = (
    " It is not run again, because its author has not declared that a second run does no harm (@cog.idempotent)."
    " Create it again to run it again."
)
_INTERRUPTED = {
    Seen.YES: "Interrupted: its instance was lost while the model ran it.",
    Seen.UNKNOWN: "Interrupted: its instance was lost, perhaps after the model had begun.",
}


def after(loss: Loss) -> Verdict:
    """Run it again where that is safe and can help; what keeps losing its instances is what loses them."""
    if loss.seen is not Seen.NO and not loss.idempotent:
        return Verdict(Event.GIVE_UP, _INTERRUPTED[loss.seen] + _UNDECLARED)
    if loss.attempts >= MAX_ATTEMPTS:
        return Verdict(
            Event.GIVE_UP,
            f"The model was interrupted {loss.attempts} times while running this prediction; giving up.",
        )
    if loss.claims >= MAX_CLAIMS:
        return Verdict(
            Event.GIVE_UP, f"{loss.claims} instances took this prediction and none could start it; giving up."
        )
    if loss.seen is Seen.NO:
        return Verdict(Event.REQUEUE, "The instance was lost before the model began.")
    return Verdict(Event.REQUEUE, "The instance was lost; running again.")
