"""Whoever asks for a prediction and waits for it is told its end, also when that comes before the waiting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

import pytest
from cogyard.domain.values import Account, Prediction, Status, Version
from cogyard.features.files.service import Files
from cogyard.features.predictions.asking import Asking
from cogyard.features.predictions.given import Given
from cogyard.features.predictions.ports import Record
from cogyard.features.predictions.queue import Queue
from cogyard.features.predictions.service import Predictions
from cogyard.instances.work import Outcome
from cogyard.testing.handovers import FakeHandovers
from cogyard.testing.predictions import MemoryPredictions

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Account(id=1, username="ann", name="Ann", created_at=NOW)
ECHO = Version(id="a" * 64, model="ann/echo", created_at=NOW, cog_version="", openapi_schema={})
DONE = Outcome(status="succeeded", output="hello")


@dataclass
class Counted(MemoryPredictions):
    """Counts how often somebody looks for a prediction."""

    looks: list[str] = field(default_factory=list)

    async def get(self, prediction_id: str) -> Record | None:
        """Look."""
        self.looks.append(prediction_id)
        return await super().get(prediction_id)


@dataclass
class Scene:
    """Predictions over memory, and an instance."""

    store: Counted = field(default_factory=Counted)

    def __post_init__(self) -> None:
        """Put it together."""
        self.queue = Queue(store=self.store, handovers=FakeHandovers())
        # No file is named by any input here.
        self.predictions = Predictions(queue=self.queue, given=Given(files=cast("Files", None)))

    async def run(self) -> None:
        """Take the oldest prediction and end it."""
        claim = await self.queue.claim(ECHO.id, instance="i")
        assert claim is not None
        assert await self.queue.finished(claim.prediction.id, claim.lease_token, DONE)


def _is_done(prediction: Prediction) -> bool:
    return prediction.status is Status.SUCCEEDED and prediction.output == "hello"


async def test_an_end_before_the_waiting_is_not_missed() -> None:
    """It ran while its creator was being answered; nobody looks it up again, and nobody waits in vain."""
    scene = Scene()
    with scene.predictions.watching() as watch:
        made = await scene.predictions.create(ANN, version=ECHO, input={}, watch=watch)
        await scene.run()
        assert _is_done(await scene.predictions.wait(made.id, 60, watch))
    assert scene.store.looks == []
    assert scene.queue.live.topics == {}


async def test_an_end_while_somebody_waits_is_told() -> None:
    """At once, without a look."""
    scene = Scene()
    with scene.predictions.watching() as watch:
        made = await scene.predictions.create(ANN, version=ECHO, input={}, watch=watch)
        waiting = asyncio.create_task(scene.predictions.wait(made.id, 60, watch))
        await asyncio.sleep(0)
        await scene.run()
        assert _is_done(await waiting)
    assert scene.store.looks == []


async def test_who_waits_in_vain_is_told_how_it_stands() -> None:
    """When the time is over it is looked up."""
    scene = Scene()
    with scene.predictions.watching() as watch:
        made = await scene.predictions.create(ANN, version=ECHO, input={}, watch=watch)
        found = await scene.predictions.wait(made.id, 0, watch)
    assert found.status is Status.STARTING
    assert scene.store.looks == [made.id]


async def test_a_create_that_is_said_again_is_looked_up() -> None:
    """The first one's prediction has ended by then, and was never watched by the second."""
    scene, once = Scene(), Asking(key="k", fingerprint=b"f")
    first = await scene.predictions.create(ANN, version=ECHO, input={}, once=once)
    await scene.run()
    with scene.predictions.watching() as watch:
        again = await scene.predictions.create(ANN, version=ECHO, input={}, once=once, watch=watch)
        assert again.id == first.id
        assert _is_done(await scene.predictions.wait(again.id, 60, watch))


@dataclass
class Noted:
    """Lets everybody in, and notes who was written."""

    written: dict[str, bool] = field(default_factory=dict)

    async def enter(self, model: str, prediction_id: str) -> None:
        """Admit it, after a turn in which others come."""
        await asyncio.sleep(0)

    def entered(self, model: str, prediction_id: str, *, written: bool) -> None:
        """Note it."""
        self.written[prediction_id] = written


async def test_a_request_that_comes_twice_at_once_is_counted_once() -> None:
    """Both get the same prediction, and the limits of the model hear of one that was written."""
    scene, noted, once = Scene(), Noted(), Asking(key="k", fingerprint=b"f")
    predictions = replace(scene.predictions, admission=noted)
    made = await asyncio.gather(
        *(predictions.create(ANN, version=ECHO, input={}, once=once) for _ in range(2))
    )
    (only,) = {prediction.id for prediction in made}
    assert len(noted.written) == 2, "they did not meet"
    assert [key for key, written in noted.written.items() if written] == [only]
