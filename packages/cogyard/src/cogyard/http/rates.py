"""Limits on how often an account may call the API, and the headers that say how far it is from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cogyard.domain.rates import Bucket, take
from cogyard.http.errors import BusyError

#: Buckets that are remembered; the one that was used the longest ago is forgotten first, full as it most likely is.
REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Requests of an account a minute: creates (what makes work), and everything else. None is no limit."""

    creates: int | None = None
    others: int | None = None
    elapsed: Callable[[], float] = time.monotonic
    _buckets: dict[tuple[int, bool], Bucket] = field(default_factory=dict)

    def remember(self, made: Mapping[int, int]) -> None:
        """Take what accounts had made in the minute before a start for made since: a restart gives nobody more."""
        if self.creates is None:
            return
        for account_id, count in made.items():
            self._buckets[account_id, True] = Bucket(max(0.0, float(self.creates - count)), self.elapsed())

    def admit(self, account_id: int, *, creates: bool) -> Mapping[str, str]:
        """Count a request and return the headers of its answer. Raises BusyError when there were too many."""
        limit = self.creates if creates else self.others
        if limit is None:
            return {}
        key = (account_id, creates)
        taken = take(self._buckets.pop(key, None), limit, self.elapsed())
        if len(self._buckets) >= REMEMBERED:
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets[key] = taken.bucket
        if taken.wait > 0:
            raise BusyError(
                f"Request was throttled: at most {limit} a minute are taken. Your rate limit resets in"
                f" ~{taken.seconds}s.",
                retry_after=taken.seconds,
                limit=limit,
            )
        return {
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(taken.remaining),
            "ratelimit-reset": str(taken.reset),
        }
