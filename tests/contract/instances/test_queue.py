"""The queue in memory keeps what a queue promises; the real one is beside its service's tests."""

from __future__ import annotations

import pytest
from cogyard.domain.values import Status
from cogyard.testing.queue import FakeQueue, QueueContract, QueueUnderTest

pytestmark = pytest.mark.anyio


class _FakeOwner:
    def __init__(self, queue: FakeQueue) -> None:
        self._queue = queue

    async def add(self, deployable: str) -> str:
        return self._queue.add(deployable)

    async def cancel(self, prediction_id: str) -> None:
        self._queue.cancel(prediction_id)

    async def status(self, prediction_id: str) -> Status:
        return self._queue.entries[prediction_id].prediction.status


class TestFakeQueue(QueueContract):
    @pytest.fixture
    def queue(self) -> FakeQueue:
        """Make the fake."""
        return FakeQueue()

    @pytest.fixture
    def owner(self, queue: FakeQueue) -> QueueUnderTest:
        """Make who creates predictions in it."""
        return _FakeOwner(queue)
