"""Whether the clock is to be believed with removing what cannot be brought back.

Theory of operation: what is removed for its age is removed by the clock, and a clock that is set a year ahead for a
minute, as by a virtual machine that wakes with another's time, makes everything old. So after a jump ahead nothing is
removed for a while: whoever set it back meanwhile has lost nothing. A machine that slept looks the same, and waits too.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cogyard.features.world import World

_log = logging.getLogger(__name__)

#: A shorter jump makes nothing old that was meant to be kept: the shortest retention is an hour.
JUMP = timedelta(minutes=10)
#: Seconds without removing, after one.
HOLD = 3600.0


@dataclass
class Steady:
    """Watches the clock at each call; all that removes asks the same one."""

    world: World = field(default_factory=World)
    _last: tuple[datetime, float] | None = None
    _until: float | None = None

    def __call__(self) -> bool:
        """Whether something may be removed for its age now."""
        now, elapsed = self.world.now(), self.world.elapsed()
        before, self._last = self._last, (now, elapsed)
        if before is not None:
            ahead = now - before[0] - timedelta(seconds=elapsed - before[1])
            if ahead > JUMP:
                self._until = elapsed + HOLD
                fields = {"ahead_seconds": int(ahead.total_seconds()), "hold_seconds": int(HOLD)}
                _log.warning("clock_set_ahead", extra=fields)
        if self._until is not None and elapsed >= self._until:
            self._until = None
        return self._until is None

    def behind(self, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        """Return work that is left out while nothing may be removed."""

        async def when_steady() -> None:
            if self():
                await work()

        return when_steady
