"""What becomes of a prediction whose instance was lost: a pure policy."""

from __future__ import annotations

from dataclasses import dataclass

from cogyard.domain.lifecycle import Event

# How often the model may begin, and how often an instance may take a prediction that never gets that far.
MAX_ATTEMPTS = 3
MAX_CLAIMS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """An instance stopped renewing its lease. `attempts`: times the model began; `claims`: times it was taken."""

    started: bool
    attempts: int
    claims: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The event that follows, and why, for the prediction's error or logs."""

    event: Event
    reason: str


def after(loss: Loss) -> Verdict:
    """Run it again while that can help; a prediction that keeps losing its instances is what loses them."""
    if loss.started and loss.attempts >= MAX_ATTEMPTS:
        return Verdict(
            Event.GIVE_UP,
            f"The model was interrupted {loss.attempts} times while running this prediction; giving up.",
        )
    if loss.claims >= MAX_CLAIMS:
        return Verdict(
            Event.GIVE_UP, f"{loss.claims} instances took this prediction and none could start it; giving up."
        )
    if loss.started:
        return Verdict(Event.REQUEUE, "The instance was lost; running again.")
    return Verdict(Event.REQUEUE, "The instance was lost before the model began.")
