"""What follows when an instance could not be had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cogyard.fleet.trouble import LIMIT, PATIENCE, PAUSE, Fault, Trouble, after_failure, explain

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _failed(times: int, fault: Fault) -> Trouble:
    trouble: Trouble | None = None
    for _ in range(times):
        trouble = after_failure(trouble, fault, reason="setup() failed.", logs="boom", now=NOW)
    assert trouble is not None
    return trouble


def test_a_models_fault_is_told_at_once() -> None:
    """What the author must change fails the waiting predictions on the first failure."""
    trouble = _failed(1, Fault.MODEL)
    assert trouble.give_up
    assert not trouble.stopped
    assert trouble.not_before == NOW + timedelta(seconds=1)


def test_our_fault_lets_them_wait() -> None:
    """What may pass by trying again is tried again before predictions are failed."""
    assert not _failed(PATIENCE - 1, Fault.MACHINE).give_up
    assert _failed(PATIENCE, Fault.MACHINE).give_up


def test_the_pause_between_tries_grows() -> None:
    """One second, then twice as long each time, then the long pause."""
    waits = [(_failed(times, Fault.MODEL).not_before - NOW).total_seconds() for times in range(1, LIMIT)]
    assert waits == [1, 2, 4, 8]
    assert _failed(LIMIT, Fault.MODEL).not_before == NOW + PAUSE


@pytest.mark.parametrize("fault", [Fault.MODEL, Fault.MACHINE])
def test_a_loop_of_failures_is_stopped_with_its_reason(fault: Fault) -> None:
    """After the limit nothing is started for a while, and predictions say why and until when."""
    trouble = _failed(LIMIT, fault)
    assert trouble.stopped
    assert explain(trouble) == (
        "setup() failed. This version could not start 5 times in a row; the next try is after 12:10:00 UTC."
    )


def test_crashes_of_a_ready_model_never_stop_it() -> None:
    """Each crash failed the prediction that caused it; the next ones get their chance, later and later."""
    trouble = _failed(50, Fault.CRASH)
    assert not trouble.stopped
    assert not trouble.give_up
    assert trouble.not_before == NOW + timedelta(minutes=1)


def test_what_keeps_crashing_is_not_kept_warm() -> None:
    """After the limit only work starts it, for as long as a stopped one pauses; before, both are tried as soon."""
    few, many = _failed(LIMIT - 1, Fault.CRASH), _failed(LIMIT, Fault.CRASH)
    assert few.unasked_before == few.not_before
    assert many.unasked_before == NOW + PAUSE > many.not_before
