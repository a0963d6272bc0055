"""The time and chance that services work with; a test gives its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What pure code cannot know: the moment, as an aware datetime, and random bytes that nobody can guess."""

    now: Callable[[], datetime] = _now
    random: Callable[[int], bytes] = os.urandom
    elapsed: Callable[[], float] = time.monotonic
    """Seconds that no one can set, and that stand still while the machine sleeps."""
