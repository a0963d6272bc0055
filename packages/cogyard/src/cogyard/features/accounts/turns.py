"""Slow hashes one after another: guessers wait for each other, and the rest of the machine for none of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from cogyard.http.errors import BusyError

T = TypeVar("T")

#: How many wait: at about 50 ms each, a second.
LINE = 20


@dataclass(kw_only=True)
class Turns:
    """Lets one in after another, and runs what is slow on one thread of its own.

    Not on the shared threads: whoever stops waiting frees the lock while their hash still runs.
    """

    line: int = LINE
    _waiting: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="password")
    )

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn. Raises BusyError when too many wait."""
        if self._waiting >= self.line:
            raise BusyError("Too many are signing in just now. Try again in a moment.", retry_after=2)
        self._waiting += 1
        try:
            async with self._lock:
                yield
        finally:
            self._waiting -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
