"""Giving the processor away after the first output."""

from __future__ import annotations

import resource
import time

from cog.worker.handover import hand_over


def test_handing_over_lets_others_run_and_comes_back_soon() -> None:
    """The system gets to choose another process, and the model waits for no more than that."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    begun = time.process_time()
    # On a busy machine a microsecond can be over before the system has looked at the clock.
    for _ in range(10):
        hand_over()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw > before
    assert time.process_time() - begun < 0.1
