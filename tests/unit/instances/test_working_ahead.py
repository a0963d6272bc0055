"""One instance that claims what comes next while its model works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from cogyard.instances.events import CompletedEvent, ServerEvent
from cogyard.instances.server import Run
from cogyard.testing.instances import FakeModel
from cogyard.testing.queue import VERSION

from tests.unit.instances.stage import Stage, until

pytestmark = pytest.mark.anyio


class _Paced:
    """A model that answers at once, until it is told to wait for its gate."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.seen: list[str] = []

    async def __call__(self, run: Run) -> AsyncIterator[ServerEvent]:
        """Run it."""
        self.seen.append(run.id)
        await self.gate.wait()
        yield CompletedEvent(status="succeeded", output="done")


async def _working_ahead(stage: Stage, paced: _Paced) -> list[str]:
    """Let a quick model begin one prediction, and return it with those that its instance claimed ahead."""
    await stage.queue.ended(stage.queue.add(VERSION))
    await stage.until_busy(0)
    paced.gate.clear()
    made = [stage.queue.add(VERSION) for _ in range(3)]
    await until(lambda: all(stage.queue.entries[each].token for each in made) and len(paced.seen) > 1)
    assert len(paced.seen) == 2
    return made


async def test_a_quick_models_next_predictions_are_claimed_ahead() -> None:
    """They begin as soon as the slot is free, in order, each once."""
    paced = _Paced()
    async with Stage(FakeModel(paced)) as stage:
        made = await _working_ahead(stage, paced)
        assert stage.host.view().busy == 1
        paced.gate.set()
        for each in made:
            assert (await stage.queue.ended(each)).claims == 1
        assert paced.seen[1:] == made


@pytest.mark.parametrize("ends", ["drained", "died", "told to stop"])
async def test_what_was_claimed_ahead_goes_back_when_the_instance_ends(ends: str) -> None:
    """Another instance may run it at once: the model never saw it, so no lease has to run out for that."""
    paced = _Paced()
    async with Stage(FakeModel(paced)) as stage:
        first, *ahead = await _working_ahead(stage, paced)
        match ends:
            case "drained":
                stage.host.drain()
            case "died":
                stage.runtime.live["fake:i1"].die(-9)
            case _:
                stage.life.cancel()
        await until(lambda: not any(stage.queue.entries[each].token for each in ahead))
        assert [stage.queue.entries[each].claims for each in ahead] == [0, 0]
        paced.gate.set()
        with suppress(asyncio.CancelledError):
            await stage.life
        assert paced.seen[-1] == first


async def test_a_run_that_takes_long_gives_back_what_was_claimed_ahead() -> None:
    """What another instance could begin does not wait for this one's model."""
    paced = _Paced()
    async with Stage(FakeModel(paced)) as stage:
        _, *ahead = await _working_ahead(stage, paced)
        await until(lambda: not any(stage.queue.entries[each].token for each in ahead))
        assert await stage.queue.waiting() == {VERSION: 2}


async def test_nothing_is_claimed_ahead_of_an_instance_that_is_free() -> None:
    """What another would begin at once is left to it."""
    paced = _Paced()
    async with Stage(FakeModel(paced), spare=lambda: True) as stage:
        await stage.queue.ended(stage.queue.add(VERSION))
        await stage.until_busy(0)
        paced.gate.clear()
        for _ in range(3):
            stage.queue.add(VERSION)
        await stage.until_busy()
        for _ in range(20):
            await asyncio.sleep(0)
        assert await stage.queue.waiting() == {VERSION: 2}
