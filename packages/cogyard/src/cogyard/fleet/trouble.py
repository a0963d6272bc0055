"""What follows when an instance could not be had: try again, how soon, or stop trying. Pure.

Theory of operation: trouble is counted per version, from the last time it became ready. What the author must change
(a refused image, a setup that raises) fails the predictions that wait, at once: they would only wait to fail.
What we may overcome by trying again (no disk, no package index) lets them wait a few times. After `LIMIT` failures
in a row nothing is started for `PAUSE`, and what arrives meanwhile fails with the kept reason. One that was ready and
died is never stopped so, since some inputs may kill a model and others not; but after as many it is no longer kept
warm: only work starts it, until `PAUSE` is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: Failures in a row after which no more starts are tried for a while.
LIMIT = 5
PAUSE = timedelta(minutes=10)
#: Failures in a row that waiting predictions sit through when the fault may be ours.
PATIENCE = 3
_FIRST_BACKOFF = timedelta(seconds=1)
_LONGEST_BACKOFF = timedelta(seconds=60)


class Fault(StrEnum):
    """Whose fault it was."""

    #: The image or the model's setup: it will most likely fail the same way again.
    MODEL = "model"
    #: This machine or its network: trying again may help.
    MACHINE = "machine"
    #: The model server died although it had been ready; its predictions were told.
    CRASH = "crash"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """What is known of a version that could not run."""

    failures: int
    reason: str
    logs: str
    not_before: datetime
    #: No start is tried before, where nothing waits that wants it.
    unasked_before: datetime
    #: Waiting predictions are to be failed with `reason` now.
    give_up: bool
    #: No start is tried before `not_before`, and what arrives meanwhile fails too.
    stopped: bool


def after_failure(before: Trouble | None, fault: Fault, *, reason: str, logs: str, now: datetime) -> Trouble:
    """Say what follows from one more failure."""
    failures = 1 + (before.failures if before is not None else 0)
    stopped = failures >= LIMIT and fault is not Fault.CRASH
    backoff = min(_FIRST_BACKOFF * 2 ** min(failures - 1, 10), _LONGEST_BACKOFF)
    return Trouble(
        failures=failures,
        reason=reason,
        logs=logs,
        not_before=now + (PAUSE if stopped else backoff),
        unasked_before=now + (PAUSE if failures >= LIMIT else backoff),
        give_up=stopped or fault is Fault.MODEL or (fault is Fault.MACHINE and failures >= PATIENCE),
        stopped=stopped,
    )


def explain(trouble: Trouble) -> str:
    """Say in a prediction's error why it failed without having run."""
    if not trouble.stopped:
        return trouble.reason
    return (
        f"{trouble.reason} This version could not start {trouble.failures} times in a row; "
        f"the next try is after {trouble.not_before:%H:%M:%S} UTC."
    )
