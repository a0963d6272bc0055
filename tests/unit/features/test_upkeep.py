"""Loops that outlive what goes wrong in them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.features.predictions.upkeep import Pulse, repeated, whenever

pytestmark = pytest.mark.anyio


async def test_a_failing_loop_goes_on_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The next turn may do better."""
    turns = 0
    enough = asyncio.Event()

    async def work() -> None:
        nonlocal turns
        turns += 1
        if turns < 3:
            raise OSError("no room")
        enough.set()

    task = asyncio.create_task(repeated(work, pause=0))
    await asyncio.wait_for(enough.wait(), 5)
    task.cancel()
    assert [record.message for record in caplog.records] == ["upkeep failed"] * 2


async def test_a_clock_that_goes_on_without_us_is_seen() -> None:
    """Sleep and a clock set forward; not a busy machine, nor a clock set back."""
    pulse = Pulse()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert not pulse.jumped(moment, 100.0)
    assert not pulse.jumped(moment + timedelta(seconds=60), 160.0)
    assert pulse.jumped(moment + timedelta(hours=1), 161.0)
    assert not pulse.jumped(moment + timedelta(hours=1, seconds=1), 162.0)
    assert not pulse.jumped(moment, 163.0)


async def test_a_bell_rung_many_times_is_one_turn() -> None:
    """What came meanwhile is done together, and nothing is missed."""
    bell, done = asyncio.Event(), asyncio.Event()
    turns = 0

    async def work() -> None:
        nonlocal turns
        turns += 1
        done.set()

    task = asyncio.create_task(whenever(bell, work, delay=0.001))
    for _ in range(5):
        bell.set()
    await asyncio.wait_for(done.wait(), 5)
    assert turns == 1
    done.clear()
    bell.set()
    await asyncio.wait_for(done.wait(), 5)
    assert turns == 2
    task.cancel()


async def test_a_clock_that_is_set_back_is_seen() -> None:
    """At the first look it may have been; then only when it was."""
    pulse = Pulse()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert pulse.set_back(moment, 100.0)
    assert not pulse.set_back(moment + timedelta(seconds=60), 160.0)
    assert not pulse.set_back(moment + timedelta(hours=1), 161.0)
    assert pulse.set_back(moment, 162.0)
    assert not pulse.set_back(moment + timedelta(seconds=1), 163.0)
