"""The platform's queue keeps what instances are promised, over memory and over the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cogyard.domain.ids import new_id
from cogyard.domain.values import Prediction, Status
from cogyard.features.predictions.moves import waiting
from cogyard.features.predictions.queue import Queue
from cogyard.store.predictions import SqlPredictions
from cogyard.testing.database import open_database
from cogyard.testing.handovers import FakeHandovers, Ground
from cogyard.testing.predictions import MemoryPredictions
from cogyard.testing.queue import QueueContract

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Owner:
    """Creates and cancels predictions as an account does."""

    queue: Queue
    count: int = 0

    async def add(self, deployable: str) -> str:
        """Create a prediction of this version and return its id."""
        self.count += 1
        moment = NOW + timedelta(seconds=self.count)
        prediction = Prediction(
            id=new_id(moment, bytes(10)),
            model="ann/hello",
            version=deployable,
            account_id=1,
            status=Status.STARTING,
            input={},
            created_at=moment,
            stream_token=f"stream-{self.count}",
        )
        await self.queue.store.add(prediction, waiting(deployable, None))
        self.queue.bells.ring(deployable)
        return prediction.id

    async def cancel(self, prediction_id: str) -> None:
        """Cancel it."""
        await self.queue.cancel(prediction_id)

    async def status(self, prediction_id: str) -> Status:
        """Return where it is."""
        record = await self.queue.store.get(prediction_id)
        assert record is not None
        return record.prediction.status


@pytest.fixture(params=["memory", "sqlite"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    """Return an empty queue."""
    if request.param == "memory":
        yield Queue(store=MemoryPredictions(), handovers=FakeHandovers(Ground(begun=True)))
        return
    with open_database(tmp_path / "cogyard.db") as database:
        account = (
            "INSERT INTO accounts (id, username, type, name, created_at) VALUES (1, 'ann', 'user', 'Ann', 0)"
        )
        with sqlite3.connect(tmp_path / "cogyard.db") as connection:
            connection.execute(account)
        connection.close()
        yield Queue(store=SqlPredictions(database), handovers=FakeHandovers(Ground(begun=True)))


@pytest.fixture
def owner(queue: Queue) -> Owner:
    """Return somebody who asks for predictions."""
    return Owner(queue)


class TestQueue(QueueContract):
    """Everything that instances are promised."""
