"""The claims that an instance has made ahead: taken while every slot works, begun when one is free.

Theory of operation: a claim waits for a commit, and a model that is quick would wait for each. So while every slot
works on something that should be over in a moment, what comes next is claimed already, and begins in the same turn
of the loop in which a slot is free. It must not wait longer than a claim takes, for another instance might have begun
it: what has not begun within `HOLD` seconds is given back, as is everything when the instance ends. The model never
saw it, so it waits again as if it had never been taken.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque

from cogyard.instances.work import Claim, Reports

_log = logging.getLogger("cogyard.instances")

#: Claims that may wait in an instance for a slot.
MOST = 8
#: Seconds that a claim may wait for a slot; what is expected to wait longer than half of it is not made.
HOLD = 0.05

#: No run counts as shorter, in seconds.
_MOMENT = 1e-6


class Ahead:
    """What one instance has claimed and not begun, oldest first."""

    def __init__(self, reports: Reports, *, instance: str, hold: float = HOLD) -> None:
        #: Seconds that the model's last run took: what the next ones are expected to take.
        self.last_run = math.inf
        self._reports = reports
        self._instance = instance
        self._hold = hold
        self._kept: deque[tuple[Claim, asyncio.TimerHandle]] = deque()
        self._returning: set[asyncio.Task[None]] = set()

    def room(self, slots: int) -> int:
        """Return how many more may be claimed ahead where so many slots take what is claimed."""
        soon = int(self._hold / 2 * slots / max(self.last_run, _MOMENT))
        return max(0, min(MOST, soon) - len(self._kept))

    def keep(self, claim: Claim) -> None:
        """Keep a claim until `next` or, when that does not come in time, until it is given back."""
        timer = asyncio.get_running_loop().call_later(self._hold, self._late)
        self._kept.append((claim, timer))

    def next(self) -> Claim | None:
        """Return the oldest that is still held here; what was canceled meanwhile is forgotten."""
        while self._kept:
            claim, timer = self._kept.popleft()
            timer.cancel()
            if claim.held:
                return claim
        return None

    async def close(self) -> None:
        """Give back what is kept; return when all of it waits again, or its store has refused."""
        while self._kept:
            self._return_oldest()
        if self._returning:
            await asyncio.wait(self._returning)

    def _late(self) -> None:
        # What runs takes longer than was expected: what follows is not known before it has ended.
        self.last_run = math.inf
        self._return_oldest()

    def _return_oldest(self) -> None:
        # Timers fire in the order of claims, and `next` cancels the timer of what it hands over.
        claim, timer = self._kept.popleft()
        timer.cancel()
        task = asyncio.create_task(self._give_back(claim))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _give_back(self, claim: Claim) -> None:
        try:
            await self._reports.give_back(claim.prediction.id, claim.lease_token)
        except Exception:  # noqa: BLE001 - a store that fails for a moment; the lease runs out instead
            _log.exception(
                "claim_not_given_back",
                extra={"prediction": claim.prediction.id, "instance": self._instance},
            )
