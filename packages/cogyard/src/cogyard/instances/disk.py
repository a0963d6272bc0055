"""Watch what an instance writes, where nothing holds it to a limit by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

#: Sizes are found by walking over all that was written: a twentieth of the time goes into that at most.
_RESTS = 19
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"))


async def overrun(size: Callable[[], Awaitable[int | None]], limit: int, *, pause: float) -> str:
    """Wait until more than `limit` bytes are written, then return what to say of it.

    `size` tells how many there are, or None while nobody knows; it is asked every `pause` seconds, less often when
    the answer takes long.
    """
    clock = asyncio.get_running_loop().time
    while True:
        begun = clock()
        written = await size()
        if written is not None and written > limit:
            return f"wrote {_said(written)} to its disk, may write {_said(limit)}, and was ended"
        await asyncio.sleep(max(pause, _RESTS * (clock() - begun)))


def _said(size: int) -> str:
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"
