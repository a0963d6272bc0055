"""When to try again, and how long to wait first. Pure."""

from __future__ import annotations

#: Attempts in all, the first included.
ATTEMPTS = 5
#: Statuses that say "not now": the next attempt may do better.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Seconds before the second attempt; doubled for each further one.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
#: A registry that asks for a longer wait than this is not waited for.
LONGEST_ASKED = 60.0


def pause(attempt: int, *, jitter: float, retry_after: str | None = None) -> float | None:
    """Return the seconds to wait after attempt number `attempt` (from 1); None to give up.

    `jitter` is in [0, 1) and spreads clients that failed together.
    """
    if attempt >= ATTEMPTS:
        return None
    if retry_after is not None and retry_after.strip().isdigit():
        asked = float(retry_after)
        return asked if asked <= LONGEST_ASKED else None
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempt - 1)) * (0.5 + jitter)
