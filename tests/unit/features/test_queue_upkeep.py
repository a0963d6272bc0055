"""What the queue forgets for its age, and when it does not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.features.predictions import queue as module
from cogyard.features.predictions.queue import Queue
from cogyard.features.steady import HOLD
from cogyard.features.world import World
from cogyard.testing.handovers import FakeHandovers
from cogyard.testing.predictions import MemoryPredictions

pytestmark = pytest.mark.anyio

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


class Store(MemoryPredictions):
    """Counts how often it was told to forget."""

    pruned = 0

    async def prune_once(self, before: datetime) -> int:
        """Count."""
        self.pruned += 1
        return await super().prune_once(before)


async def turns() -> None:
    """Let every loop of the queue come round."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_wrong_clock_forgets_no_key_of_a_create(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month ahead for a moment, every key would be old, and what was created with one would be created again."""
    monkeypatch.setattr(module, "PRUNE_SECONDS", 0)
    passed, ahead = 0.0, timedelta()
    world = World(now=lambda: BEGUN + timedelta(seconds=passed) + ahead, elapsed=lambda: passed)
    store = Store()
    running = asyncio.create_task(Queue(store=store, handovers=FakeHandovers(), world=world).run())
    await turns()
    assert store.pruned
    passed, ahead = 60.0, timedelta(days=30)
    before = store.pruned
    await turns()
    passed, ahead = 120.0, timedelta()
    await turns()
    assert store.pruned == before
    passed = 60.0 + HOLD
    await turns()
    assert store.pruned > before
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
