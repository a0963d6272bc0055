"""Two small things that asyncio leaves out: wait for the first of several tasks, and end tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any


async def first(*tasks: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Return when one of the tasks has ended, or after `timeout` seconds; none is cancelled."""
    await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and return when they have ended; what they raised was seen or matters no more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
