"""What state a model is in, and when a dead worker is started again: pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class Health(Enum):
    """The states that `GET /health-check` tells."""

    UNKNOWN = "UNKNOWN"
    STARTING = "STARTING"
    READY = "READY"
    BUSY = "BUSY"
    SETUP_FAILED = "SETUP_FAILED"
    DEFUNCT = "DEFUNCT"
    UNHEALTHY = "UNHEALTHY"


_BEST_FIRST = (Health.READY, Health.STARTING, Health.UNKNOWN, Health.DEFUNCT, Health.SETUP_FAILED)


def together(states: Sequence[Health]) -> Health:
    """Return the state of a model from those of its workers: what the best of them can do."""
    return next((state for state in _BEST_FIRST if state in states), Health.UNKNOWN)


RESTARTS = (0.0, 0.5, 2.0, 5.0, 10.0)
"""Seconds before each new start after the last one that became ready; then the model is defunct."""
STABLE_SECONDS = 60.0
"""A worker that lived this long was not broken from the start."""
CRASH_DELAY_MOST = 5.0


def restart_delay(*, failed_starts: int, crashes: int) -> float | None:
    """Return the seconds to wait before a new start, or None to give up.

    `failed_starts` counts starts in a row that never became ready: those end in giving up. `crashes` counts workers in
    a row that did become ready and died young: those only slow the starts down, for one bad input must not take a
    model away.
    """
    if failed_starts >= len(RESTARTS):
        return None
    young = min(CRASH_DELAY_MOST, 0.1 * 2 ** (crashes - 1)) if crashes > 1 else 0.0
    return max(RESTARTS[failed_starts], young)
