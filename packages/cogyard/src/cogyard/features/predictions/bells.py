"""Who is woken when there may be work.

Theory of operation. A bell that rings while nobody listens must still be heard by whoever looked in vain just
before. So a bell stays rung until somebody looks: `hush` first, then look, then wait; whoever finds more work than it
takes rings again. A bell that nobody has hushed yet counts as rung.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bells:
    """One bell for each deployable that somebody asked about, and one for all."""

    _bells: dict[str, asyncio.Event] = field(default_factory=dict)
    _any: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self, deployable: str) -> None:
        """Say that there may be work."""
        if (bell := self._bells.get(deployable)) is not None:
            bell.set()
        self._any.set()

    def hush(self, deployable: str) -> None:
        """Note that somebody looks now."""
        self._bells.setdefault(deployable, asyncio.Event()).clear()

    async def wait(self, deployable: str, timeout: float) -> None:
        """Return when the deployable's bell is rung, or after `timeout` seconds."""
        if (bell := self._bells.get(deployable)) is not None:
            await _heard(bell, timeout)

    async def wait_any(self, timeout: float) -> None:
        """Return when any bell was rung since the last call, or after `timeout` seconds."""
        await _heard(self._any, timeout)
        self._any.clear()


async def _heard(bell: asyncio.Event, timeout: float) -> None:
    if bell.is_set():
        return
    # Not wait_for, which makes a task for each.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await bell.wait()
