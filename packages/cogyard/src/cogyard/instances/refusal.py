"""End predictions that wait for an instance which cannot be had, with the reason."""

from __future__ import annotations

from cogyard.instances.run import Work
from cogyard.instances.tail import last_lines
from cogyard.instances.work import Outcome

#: Who claims them, in the queue's eyes.
_CLAIMER = "controller"
#: How much of a setup's log goes into each prediction's log, in characters.
_LOGS = 16_000


async def fail_waiting(work: Work, deployable: str, *, count: int, error: str, logs: str = "") -> int:
    """Fail at most `count` predictions that wait for `deployable`; return how many there were.

    They are claimed first, so that one which an instance has just taken is left alone.
    """
    shown = last_lines(logs, _LOGS)
    for failed in range(count):
        claim = await work.source.claim(deployable, instance=_CLAIMER)
        if claim is None:
            return failed
        prediction, token = claim.prediction.id, claim.lease_token
        if shown:
            await work.reports.progress(prediction, token, logs=shown + "\n")
        await work.reports.finished(prediction, token, Outcome(status="failed", error=error))
    return count
