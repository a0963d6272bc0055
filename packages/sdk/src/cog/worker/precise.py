"""An event loop for async predictors that wakes when a sleep is over, not up to a millisecond later.

Epoll counts in milliseconds, so asyncio rounds each wait up: `sleep(0.01)` takes 10.5 to 11 ms, `sleep(0.001)` about 2.
`select` counts in microseconds; waiting with it for the epoll descriptor itself gives epoll's scale at select's grain.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Coroutine
from select import select
from typing import Any, TypeVar

T = TypeVar("T")
_SELECTABLE = 1024
"""Descriptors from which `select` refuses to work."""

if sys.platform == "linux":

    class PreciseSelector(selectors.EpollSelector):
        """Waits as long as it is told to."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            """Return what is ready within `timeout` seconds; None means without limit."""
            if timeout is not None and timeout > 0 and self.fileno() < _SELECTABLE:
                select((self,), (), (), timeout)
                timeout = 0
            return super().select(timeout)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop the author's policy makes (uvloop's), or ours in the place of asyncio's own."""
    loop = asyncio.new_event_loop()
    if sys.platform == "linux" and type(loop) is asyncio.SelectorEventLoop:
        loop.close()
        loop = asyncio.SelectorEventLoop(PreciseSelector())
    asyncio.set_event_loop(loop)
    return loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run as `asyncio.run` does."""
    if sys.version_info < (3, 11):
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)
