"""The queue in memory and the platform's own keep the same promises to instances."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cogyard.domain.ids import CAPABILITY_RANDOM_BYTES, ID_RANDOM_BYTES, new_capability, new_id
from cogyard.domain.values import Account, Prediction, Status
from cogyard.features.accounts.service import Accounts
from cogyard.features.predictions.moves import waiting
from cogyard.features.predictions.queue import Queue
from cogyard.store.accounts import SqlAccounts
from cogyard.store.database import Database
from cogyard.store.predictions import SqlPredictions
from cogyard.testing.database import open_database
from cogyard.testing.handovers import FakeHandovers, Ground
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


class _Owner:
    """Creates predictions in the real queue, with no service before it."""

    def __init__(self, queue: Queue, account: Account) -> None:
        self._queue = queue
        self._account = account

    async def add(self, deployable: str) -> str:
        now = datetime.now(UTC)
        prediction = Prediction(
            id=new_id(now, secrets.token_bytes(ID_RANDOM_BYTES)),
            model="alice/model",
            version=deployable,
            account_id=self._account.id,
            status=Status.STARTING,
            input={},
            created_at=now,
            stream_token=new_capability(secrets.token_bytes(CAPABILITY_RANDOM_BYTES)),
        )
        await self._queue.store.add(prediction, waiting(deployable, None))
        self._queue.bells.ring(deployable)
        return prediction.id

    async def cancel(self, prediction_id: str) -> None:
        await self._queue.cancel(prediction_id)

    async def status(self, prediction_id: str) -> Status:
        record = await self._queue.store.get(prediction_id)
        assert record is not None
        return record.prediction.status


class TestPlatformQueue(QueueContract):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Database:
        """Open a database of this test's own."""
        return open_database(tmp_path / "cogyard.db")

    @pytest.fixture
    async def queue(self, database: Database) -> AsyncIterator[Queue]:
        """Make the real one."""
        yield Queue(store=SqlPredictions(database), handovers=FakeHandovers(Ground(begun=True)))
        database.close()

    @pytest.fixture
    async def owner(self, queue: Queue, database: Database) -> QueueUnderTest:
        """Make who creates predictions in it."""
        account = await Accounts(store=SqlAccounts(database)).create("alice", name="Alice")
        return _Owner(queue, account)
