"""What becomes of a prediction whose instance was lost."""

from __future__ import annotations

from cogyard.domain.lifecycle import Event
from cogyard.domain.retry import MAX_ATTEMPTS, MAX_CLAIMS, Loss, after


def test_a_prediction_the_model_never_saw_waits_again() -> None:
    """A loss before the start costs nothing."""
    assert after(Loss(started=False, attempts=0, claims=1)).event is Event.REQUEUE


def test_an_interrupted_prediction_runs_again_up_to_three_times() -> None:
    """The third interruption is the last, and the reason says how many there were."""
    assert after(Loss(started=True, attempts=MAX_ATTEMPTS - 1, claims=2)).event is Event.REQUEUE
    verdict = after(Loss(started=True, attempts=MAX_ATTEMPTS, claims=3))
    assert verdict.event is Event.GIVE_UP
    assert str(MAX_ATTEMPTS) in verdict.reason


def test_a_prediction_that_no_instance_can_start_ends() -> None:
    """An input that kills every instance before the model begins does not do so for ever."""
    verdict = after(Loss(started=False, attempts=0, claims=MAX_CLAIMS))
    assert verdict.event is Event.GIVE_UP
    assert str(MAX_CLAIMS) in verdict.reason
