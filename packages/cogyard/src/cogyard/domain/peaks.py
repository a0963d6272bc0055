"""The most of something within the last while: a value that takes what is seen and forgets what is past. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self


@dataclass(frozen=True, slots=True)
class Peak:
    """What was seen, as far as it can still be the most: later and smaller, so there are never more than sizes."""

    seen: tuple[tuple[datetime, int], ...] = ()

    @property
    def most(self) -> int:
        """The most there was; 0 of nothing."""
        return self.seen[0][1] if self.seen else 0

    def with_(self, count: int, now: datetime, window: timedelta) -> Self:
        """Return the peak once so many are seen at a time, without what was before the window."""
        kept = [(moment, size) for moment, size in self.seen if size > count and now - moment < window]
        return type(self)((*kept, (now, count)))
