"""Timers for less than a millisecond, on a real loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cog_server.workers.short_timer import ShortTimer

pytestmark = pytest.mark.anyio


async def test_it_calls_once_for_each_start() -> None:
    """A start that was replaced by another is forgotten."""
    calls, called = [], asyncio.Event()

    def call() -> None:
        calls.append(1)
        called.set()

    timer = ShortTimer(asyncio.get_running_loop(), call)
    timer.start(3600.0)
    timer.start(0.0001)
    await asyncio.wait_for(called.wait(), 20)
    called.clear()
    timer.start(0.0001)
    await asyncio.wait_for(called.wait(), 20)
    assert len(calls) == 2
    timer.close()


async def test_a_closed_one_leaves_nothing() -> None:
    """No call, and no descriptor."""
    before = _open_files()
    calls: list[int] = []
    timer = ShortTimer(asyncio.get_running_loop(), lambda: calls.append(1))
    timer.start(0.0)
    timer.close()
    timer.close()
    await asyncio.sleep(0)
    assert calls == []
    assert _open_files() <= before


async def test_a_system_without_such_timers_has_the_loop_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no timerfd, the event loop's own timers do."""
    monkeypatch.setattr(ShortTimer, "_open", lambda _: None)
    called = asyncio.Event()
    timer = ShortTimer(asyncio.get_running_loop(), called.set)
    timer.start(0.0001)
    await asyncio.wait_for(called.wait(), 20)
    timer.start(3600.0)
    timer.close()


def _open_files() -> set[str]:
    folder = Path("/proc/self/fd")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
