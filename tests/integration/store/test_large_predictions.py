"""What takes long to read or write is not read or written where every request is answered."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.ids import new_id
from cogyard.domain.values import Prediction, Status
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.predictions.limits import QUICK_LIMIT
from cogyard.features.predictions.moves import waiting
from cogyard.features.predictions.ports import Change, Decide, Record
from cogyard.features.predictions.queue import Queue
from cogyard.instances.work import Outcome
from cogyard.store.accounts import SqlAccounts
from cogyard.store.predictions import SqlPredictions
from cogyard.testing.database import open_database
from cogyard.testing.handovers import FakeHandovers

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
VERSION = "a" * 64
LARGE = "x" * (QUICK_LIMIT + 1)


class Watched(SqlPredictions):
    """Notes of each change whether it is decided in the loop's own thread."""

    inline: list[bool]

    async def change(self, prediction_id: str, decide: Decide, **more: Any) -> Change | None:
        """Note it."""

        def noted(record: Record) -> Change | None:
            self.inline.append(threading.current_thread() is threading.main_thread())
            return decide(record)

        return await super().change(prediction_id, noted, **more)


@dataclass
class Scene:
    """A queue with one prediction after another."""

    queue: Queue
    store: Watched
    account_id: int
    made: int = 0

    async def run(self, *outputs: str, output: Any = None) -> tuple[Prediction, bool]:
        """Run a prediction; return it, and whether its end was written in the loop's own thread."""
        self.made += 1
        prediction = Prediction(
            id=new_id(NOW, self.made.to_bytes(10)),
            model="ann/m",
            version=VERSION,
            account_id=self.account_id,
            status=Status.STARTING,
            input={},
            created_at=NOW,
            stream_token=f"{self.made:032}",
        )
        await self.queue.store.add(prediction, waiting(VERSION, None))
        claim = await self.queue.claim(VERSION, instance="i")
        assert claim is not None
        await self.queue.started(prediction.id, claim.lease_token)
        await self.queue.progress(prediction.id, claim.lease_token, outputs=outputs)
        outcome = Outcome(status="succeeded", output=output, streamed=bool(outputs))
        assert await self.queue.finished(prediction.id, claim.lease_token, outcome)
        ended = await self.queue.store.get(prediction.id)
        assert ended is not None
        return ended.prediction, self.store.inline[-1]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Return a scene."""
    with open_database(tmp_path / "cogyard.db") as database:
        new = NewAccount(
            username="ann", name="Ann", type="user", is_admin=False, password_hash=None, created_at=NOW
        )
        account = await SqlAccounts(database).add(new)
        store = Watched(database)
        object.__setattr__(store, "inline", [])
        yield Scene(queue=Queue(store=store, handovers=FakeHandovers()), store=store, account_id=account.id)


async def test_a_small_end_is_written_at_once(scene: Scene) -> None:
    """Handing it to a thread and back would take longer than writing it."""
    ended, inline = await scene.run("a", "b")
    assert (ended.output, inline) == (["a", "b"], True)
    ended, inline = await scene.run(output={"a": 1})
    assert (ended.output, inline) == ({"a": 1}, True)


async def test_a_large_end_is_written_beside_the_loop(scene: Scene) -> None:
    """Whether it was streamed or came whole."""
    ended, inline = await scene.run(LARGE, "b")
    assert (ended.output, inline) == ([LARGE, "b"], False)
    ended, inline = await scene.run(output=[LARGE])
    assert (ended.output, inline) == ([LARGE], False)
    ended, inline = await scene.run(output=LARGE)
    assert (ended.output, inline) == (LARGE, False)


async def test_what_another_process_held_is_ended_beside_the_loop(scene: Scene) -> None:
    """Nobody here knows how much it streamed."""
    prediction = Prediction(
        id=new_id(NOW, bytes(10)), model="ann/m", version=VERSION, account_id=scene.account_id,
        status=Status.STARTING, input={}, created_at=NOW, stream_token="t" * 32,
    )  # fmt: skip
    await scene.queue.store.add(prediction, waiting(VERSION, None))
    assert await Queue(store=scene.store, handovers=FakeHandovers()).cancel(prediction.id) is not None
    assert scene.store.inline == [False]
