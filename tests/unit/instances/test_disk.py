"""What an instance writes is watched until it is more than it may."""

from __future__ import annotations

import asyncio

import pytest
from cogyard.instances.disk import overrun

pytestmark = pytest.mark.anyio


async def test_it_is_asked_again_until_it_is_too_much() -> None:
    """Sizes up to the limit, and times when nobody knows, are let be; the first above it is told with both numbers."""
    sizes = iter([None, 0, 5 << 20, 64 << 20, None, 3 << 30])

    async def size() -> int | None:
        return next(sizes)

    assert (
        await overrun(size, 64 << 20, pause=0)
        == "wrote 3.0 GiB to its disk, may write 64.0 MiB, and was ended"
    )
    assert next(sizes, "none is left") == "none is left"


async def test_what_is_slow_is_asked_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause grows with what an answer takes: nineteen times as long."""
    now = 0.0
    rests: list[float] = []

    async def size() -> int | None:
        nonlocal now
        now += 2.0
        return 0 if len(rests) < 2 else 100

    async def sleep(seconds: float) -> None:
        rests.append(seconds)

    # Time is the loop's and asyncio's own: there is no port to give another one to.
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    monkeypatch.setattr("cogyard.instances.disk.asyncio.sleep", sleep)
    assert (await overrun(size, 99, pause=5.0)).startswith("wrote 100 bytes")
    assert rests == [38.0, 38.0]
