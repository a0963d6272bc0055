"""Work that is done again and again as long as the platform runs. An error is logged and the work goes on.

A full disk must not end the loop that will write again once there is room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

_log = logging.getLogger(__name__)

# A clock may run this much faster than time between two looks before it counts as set.
TOLERANCE = timedelta(seconds=5)

Work = Callable[[], Awaitable[object]]


@dataclass
class Pulse:
    """Sees when the clock has gone another way than time: the machine slept, or somebody set it."""

    last: tuple[datetime, float] | None = None

    def jumped(self, now: datetime, elapsed: float) -> bool:
        """Whether the clock went further than time since the last call; `elapsed` is seconds that nobody sets."""
        ahead = self._ahead(now, elapsed)
        return ahead is not None and ahead > TOLERANCE

    def set_back(self, now: datetime, elapsed: float) -> bool:
        """Whether the clock was set back since the last call; at the first, it may have been."""
        ahead = self._ahead(now, elapsed)
        return ahead is None or ahead < -TOLERANCE

    def _ahead(self, now: datetime, elapsed: float) -> timedelta | None:
        before, self.last = self.last, (now, elapsed)
        return None if before is None else now - before[0] - timedelta(seconds=elapsed - before[1])


async def repeated(work: Work, *, pause: float) -> None:
    """Do something, rest for `pause` seconds, and again; until cancelled."""
    while True:
        await survived(work)
        await asyncio.sleep(pause)


async def whenever(bell: asyncio.Event, work: Work, *, delay: float) -> None:
    """Do something `delay` seconds after the bell rings, for all that rang meanwhile; until cancelled."""
    while True:
        await bell.wait()
        await asyncio.sleep(delay)
        bell.clear()
        await survived(work)


async def survived(work: Work) -> None:
    """Do something; whatever goes wrong is logged."""
    try:
        await work()
    except Exception:  # noqa: BLE001 - logged whole; see the module
        _log.exception("upkeep failed", extra={"action": "upkeep_failed"})
