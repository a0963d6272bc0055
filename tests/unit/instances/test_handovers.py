"""What an instance notes of the predictions that it hands over to its model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from cogyard.domain.retry import Seen
from cogyard.domain.values import Status
from cogyard.instances.errors import NotAcceptedError
from cogyard.instances.events import CompletedEvent, ServerEvent
from cogyard.instances.server import Run
from cogyard.instances.work import Outcome
from cogyard.testing.instances import FakeModel, echo, forever
from cogyard.testing.queue import VERSION, FakeQueue

from tests.unit.instances.stage import Stage, noting, until

pytestmark = pytest.mark.anyio


def token_of(queue: FakeQueue, prediction: str) -> str:
    """Return the present lease of a prediction."""
    token = queue.entries[prediction].token
    assert token is not None
    return token


async def test_the_model_is_asked_only_after_the_note() -> None:
    """When the model sees a prediction, that has been noted already."""
    found: list[Seen] = []

    async def look(run: Run) -> AsyncIterator[ServerEvent]:
        found.append(stage.handovers.seen(token_of(stage.queue, run.id)))
        yield CompletedEvent(status="succeeded", output=1)

    stage = Stage(FakeModel(look))
    async with stage:
        await stage.queue.ended(stage.queue.add(VERSION))
    assert found == [Seen.YES]


async def test_what_has_ended_is_dropped() -> None:
    """A stored outcome needs no note any more."""
    async with Stage(FakeModel(echo)) as stage:
        for _ in range(3):
            await stage.queue.ended(stage.queue.add(VERSION))
        await until(lambda: not stage.handovers.ground.noted)


async def test_what_the_model_never_took_was_not_seen() -> None:
    """A server that takes no connections leaves the prediction to run elsewhere."""

    async def refuse(_run: Run) -> AsyncIterator[ServerEvent]:
        if stage.model.setup == "ok":
            raise NotAcceptedError("no connections")
        yield CompletedEvent(status="succeeded")

    stage = Stage(FakeModel(refuse), accept_wait=0.2)
    async with stage:
        prediction = stage.queue.add(VERSION)
        await stage.until_busy()
        await stage.until_busy(0)
        assert stage.queue.entries[prediction].outcome is None
        assert stage.queue.entries[prediction].prediction.status is Status.STARTING
        assert stage.handovers.seen(token_of(stage.queue, prediction)) is Seen.NO


async def test_an_outcome_that_could_not_be_stored_leaves_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease runs out then, and the model has seen the prediction."""
    monkeypatch.setattr("cogyard.instances.reporter._PAUSES", ())
    async with Stage(FakeModel(echo)) as stage:

        async def fails(_prediction_id: str, _lease_token: str, _outcome: Outcome) -> bool:
            raise OSError("disk full")

        monkeypatch.setattr(stage.queue, "finished", fails)
        prediction = stage.queue.add(VERSION)
        await until(lambda: stage.handovers.ground.noted != set())
        await stage.until_busy(0)
        await asyncio.sleep(0)
        assert stage.handovers.seen(token_of(stage.queue, prediction)) is Seen.YES


async def test_where_no_note_can_be_kept_the_model_is_not_asked() -> None:
    """On a full disk a prediction waits for its turn again; once there is room it runs, once."""
    asked: list[str] = []

    async with Stage(FakeModel(noting(asked))) as stage:
        stage.handovers.full = True
        prediction = stage.queue.add(VERSION)
        await stage.until_busy()
        assert asked == []
        stage.handovers.full = False
        entry = await stage.queue.ended(prediction)
        assert (entry.claims, asked) == (1, [prediction])


async def test_what_was_told_to_stop_stays_noted() -> None:
    """An instance that is ended at once cannot say how far its model was."""
    async with Stage(FakeModel(forever)) as stage:
        prediction = stage.queue.add(VERSION)
        await stage.until_busy()
    assert stage.handovers.seen(token_of(stage.queue, prediction)) is Seen.YES
