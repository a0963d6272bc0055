"""Tasks that go on as long as the platform does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cogyard.instances.waiting import end

_log = logging.getLogger("cogyard.platform")

#: A task that failed begins again after this time, in seconds.
_PAUSE = 1.0


class Background:
    """Loops by name. One that fails is logged and begun again: the platform must outlive a bug in a loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str, loop: Callable[[], Awaitable[object]]) -> None:
        """Run a loop until `stop`; two loops of one name are a mistake: each would do the other's work again."""
        if name in self._tasks:
            raise ValueError(f"the loop {name} runs already")
        self._tasks[name] = asyncio.create_task(_always(name, loop), name=name)

    async def stop(self, *names: str) -> None:
        """End these loops, or all of them."""
        chosen = names or tuple(self._tasks)
        await end(*[self._tasks.pop(name) for name in chosen if name in self._tasks])


async def every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again, with pauses."""
    while True:
        await work()
        await asyncio.sleep(seconds)


async def _always(name: str, loop: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await loop()
        except Exception:  # noqa: BLE001 - whatever it was, the loop goes on
            _log.exception("background_failed", extra={"loop": name})
        else:
            _log.error("background_ended", extra={"loop": name})
        await asyncio.sleep(_PAUSE)
