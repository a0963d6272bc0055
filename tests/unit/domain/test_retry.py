"""What becomes of a prediction whose instance was lost."""

from __future__ import annotations

import pytest
from cogyard.domain.lifecycle import Event
from cogyard.domain.retry import MAX_ATTEMPTS, MAX_CLAIMS, Loss, Seen, after


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_prediction_the_model_never_saw_waits_again(idempotent: bool) -> None:
    """A loss before the handover costs nothing, whatever its author says."""
    loss = Loss(seen=Seen.NO, idempotent=idempotent, attempts=0, claims=1)
    assert after(loss).event is Event.REQUEUE


@pytest.mark.parametrize(("seen", "word"), [(Seen.YES, "while the model ran"), (Seen.UNKNOWN, "perhaps")])
def test_what_a_model_may_have_seen_is_not_run_again(seen: Seen, word: str) -> None:
    """Unless its author has declared it idempotent; the reason says what happened and what to do."""
    verdict = after(Loss(seen=seen, idempotent=False, attempts=1, claims=1))
    assert verdict.event is Event.GIVE_UP
    assert word in verdict.reason
    assert "@cog.idempotent" in verdict.reason


@pytest.mark.parametrize("seen", [Seen.YES, Seen.UNKNOWN])
def test_an_idempotent_prediction_runs_again_up_to_three_times(seen: Seen) -> None:
    """The third interruption is the last, and the reason says how many there were."""
    before = Loss(seen=seen, idempotent=True, attempts=MAX_ATTEMPTS - 1, claims=2)
    assert after(before).event is Event.REQUEUE
    verdict = after(Loss(seen=seen, idempotent=True, attempts=MAX_ATTEMPTS, claims=3))
    assert verdict.event is Event.GIVE_UP
    assert str(MAX_ATTEMPTS) in verdict.reason


def test_a_prediction_that_no_instance_can_start_ends() -> None:
    """An input that kills every instance before the model begins does not do so for ever."""
    verdict = after(Loss(seen=Seen.NO, idempotent=True, attempts=0, claims=MAX_CLAIMS))
    assert verdict.event is Event.GIVE_UP
    assert str(MAX_CLAIMS) in verdict.reason
