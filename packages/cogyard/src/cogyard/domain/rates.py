"""How often an account may ask: a bucket that fills evenly and is emptied by requests. Pure; time is an argument.

A bucket holds a window's worth, a minute's unless said otherwise, so that a burst of that many goes through at once
and the rate holds over time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was left at a moment, in seconds of a clock that nobody sets."""

    left: float
    at: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a request: `wait` is 0 when it may go on, else the seconds until one may."""

    bucket: Bucket
    limit: int
    wait: float
    period: float = MINUTE

    @property
    def remaining(self) -> int:
        """How many more may come at once."""
        return int(self.bucket.left)

    @property
    def seconds(self) -> int:
        """For how many whole seconds nobody may; 0 when this one may go on."""
        return math.ceil(self.wait)

    @property
    def reset(self) -> int:
        """In how many seconds the bucket is full again."""
        return round((self.limit - self.bucket.left) * self.period / self.limit)


def take(before: Bucket | None, limit: int, now: float, *, period: float = MINUTE) -> Taken:
    """Take one request out of a bucket of `limit` in `period` seconds; None is one that nobody has used."""
    left = float(limit)
    if before is not None:
        left = min(left, before.left + max(now - before.at, 0.0) * limit / period)
    if left >= 1:
        return Taken(Bucket(left - 1, now), limit, 0.0, period)
    return Taken(Bucket(left, now), limit, (1 - left) * period / limit, period)
