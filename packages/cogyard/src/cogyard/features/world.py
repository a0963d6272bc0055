"""The time and chance that services work with; a test gives its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


#: Bytes that are fetched from the system at once: as many as some twenty ids and addresses need.
_AT_ONCE = 512


@dataclass(eq=False, slots=True)
class Randomness:
    """Random bytes, fetched many at a time: asking the system costs more than all the rest of an id."""

    fetch: Callable[[int], bytes] = os.urandom
    _left: bytes = b""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Give nothing twice: what a forked process inherits is its parent's."""
        os.register_at_fork(after_in_child=self._begin_anew)

    def take(self, count: int) -> bytes:
        """Return so many bytes that nobody else gets."""
        if count > _AT_ONCE:
            return self.fetch(count)
        with self._lock:
            if len(self._left) < count:
                self._left = self.fetch(_AT_ONCE)
            taken, self._left = self._left[:count], self._left[count:]
        return taken

    def _begin_anew(self) -> None:
        self._left, self._lock = b"", threading.Lock()


_random = Randomness().take


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What pure code cannot know: the moment, as an aware datetime, and random bytes that nobody can guess."""

    now: Callable[[], datetime] = _now
    random: Callable[[int], bytes] = _random
    elapsed: Callable[[], float] = time.monotonic
    """Seconds that no one can set, and that stand still while the machine sleeps."""
