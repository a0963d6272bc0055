"""One instance against a queue and a model in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.autoscale import Phase
from cogyard.domain.retry import Recovery, Seen
from cogyard.domain.values import Status
from cogyard.instances.errors import SetupFailedError
from cogyard.instances.events import CompletedEvent, LogEvent, ServerEvent
from cogyard.instances.runtime import Exit
from cogyard.instances.server import Run
from cogyard.instances.work import Claim, Outcome
from cogyard.testing.instances import FakeModel, count, echo, forever
from cogyard.testing.queue import VERSION
from msgspec.structs import replace

from tests.unit.instances.stage import Stage, noting, until

pytestmark = pytest.mark.anyio


async def test_a_prediction_goes_through() -> None:
    """What waits is claimed, run, and its output, status and metrics stored."""
    async with Stage(FakeModel(echo)) as stage:
        entry = await stage.queue.ended(stage.queue.add(VERSION, {"text": "Alice"}))
        assert entry.outcome is not None
        assert (entry.outcome.status, entry.outcome.output) == ("succeeded", "hello Alice")


async def test_streamed_outputs_are_the_output() -> None:
    """Streamed values are reported in order, and the outcome says that they are the output."""
    async with Stage(FakeModel(count)) as stage:
        entry = await stage.queue.ended(stage.queue.add(VERSION, {"n": 5}))
        assert entry.outputs == [0, 1, 2, 3, 4]
        assert entry.outcome is not None
        assert (entry.outcome.streamed, entry.outcome.output) == (True, None)


async def test_an_iterator_without_values_gives_the_empty_list() -> None:
    """Nothing streamed: the whole output stands in the outcome."""
    async with Stage(FakeModel(count)) as stage:
        entry = await stage.queue.ended(stage.queue.add(VERSION, {"n": 0}))
        assert entry.outcome is not None
        assert (entry.outcome.streamed, entry.outcome.output) == (False, [])


async def test_a_model_that_fails_says_why() -> None:
    """The model's error is the prediction's error, and its logs are kept."""

    async def fail(_run: Run) -> AsyncIterator[ServerEvent]:
        yield LogEvent(text="Traceback …\n")
        yield CompletedEvent(status="failed", error="no such colour")

    async with Stage(FakeModel(fail)) as stage:
        entry = await stage.queue.ended(stage.queue.add(VERSION))
        assert entry.outcome is not None
        assert (entry.outcome.status, entry.outcome.error) == ("failed", "no such colour")
        assert entry.logs == "Traceback …\n"


async def test_slots_bound_what_runs_at_once() -> None:
    """Two slots run two predictions, and the third waits in the queue."""
    async with Stage(FakeModel(forever, slots=2)) as stage:
        for _ in range(3):
            stage.queue.add(VERSION)
        await stage.until_busy(2)
        assert await stage.queue.waiting() == {VERSION: 1}


async def test_a_server_tells_how_many_it_runs() -> None:
    """What the author said in the code counts, whatever the image says."""
    async with Stage(FakeModel(forever, slots=1, slots_told=3)) as stage:
        for _ in range(4):
            stage.queue.add(VERSION)
        await stage.until_busy(3)
        assert await stage.queue.waiting() == {VERSION: 1}


async def test_a_cancel_frees_the_slot() -> None:
    """A canceled prediction stops in the model, and the next one runs."""
    async with Stage(FakeModel(forever)) as stage:
        first = stage.queue.add(VERSION)
        await stage.until_busy()
        second = stage.queue.add(VERSION)
        stage.queue.cancel(first)
        await until(lambda: bool(stage.queue.entries[second].outputs))
        assert stage.queue.entries[first].prediction.status is Status.CANCELED


async def test_a_model_that_ignores_cancel_is_ended() -> None:
    """After the grace the instance is stopped, so the slot is never lost for good."""
    async with Stage(FakeModel(forever, obeys_cancel=False), cancel_grace=0.1) as stage:
        prediction = stage.queue.add(VERSION)
        await stage.until_busy()
        stage.queue.cancel(prediction)
        async with asyncio.timeout(5):
            assert await stage.life == Exit(code=-9)


async def test_draining_finishes_what_runs_and_claims_no_more() -> None:
    """A drained instance ends after its prediction; what came later is not taken."""
    gate = asyncio.Event()

    async def wait(_run: Run) -> AsyncIterator[ServerEvent]:
        await gate.wait()
        yield CompletedEvent(status="succeeded", output="done")

    async with Stage(FakeModel(wait)) as stage:
        first = stage.queue.add(VERSION)
        await stage.until_busy()
        stage.host.drain()
        stage.queue.add(VERSION)
        assert stage.host.view().phase is Phase.DRAINING
        gate.set()
        async with asyncio.timeout(5):
            assert await stage.life is None
        assert (await stage.queue.ended(first)).outcome is not None
        assert await stage.queue.waiting() == {VERSION: 1}


async def test_draining_while_starting_ends_at_once() -> None:
    """An instance that is no longer wanted doesn't finish a long setup first."""
    async with Stage(FakeModel(setup="hang")) as stage:
        await asyncio.sleep(0)
        stage.host.drain()
        async with asyncio.timeout(5):
            assert await stage.life is None


@pytest.mark.parametrize("died", [False, True], ids=["drained", "died"])
async def test_an_idle_instance_ends_at_once(died: bool) -> None:
    """However long it would wait for work, a drain and the end of its server are heard."""
    async with Stage(FakeModel(echo)) as stage:
        await stage.queue.ended(stage.queue.add(VERSION))
        await until(lambda: stage.host.view().idle_since is not None)
        for _ in range(20):
            await asyncio.sleep(0)
        if died:
            stage.runtime.live["fake:i1"].die(-9)
        else:
            stage.host.drain()
        async with asyncio.timeout(5):
            assert await stage.life == (Exit(code=-9) if died else None)


async def test_the_death_of_the_server_fails_what_ran() -> None:
    """A prediction whose server dies fails with how it died, and the instance's life ends."""
    async with Stage(FakeModel(forever)) as stage:
        prediction = stage.queue.add(VERSION)
        await stage.until_busy()
        stage.runtime.live["fake:i1"].die(-9)
        entry = await stage.queue.ended(prediction)
        assert entry.outcome is not None
        assert entry.outcome.status == "failed"
        assert "was killed (signal 9" in (entry.outcome.error or "")
        assert entry.outcome.interrupted
        assert await stage.life == Exit(code=-9)


@pytest.mark.parametrize(("number", "interrupted"), [(9, True), (11, False), (None, False)])
async def test_only_a_kill_from_outside_is_an_interruption(number: int | None, interrupted: bool) -> None:
    """A model that crashes, or raises, does so again; one that somebody killed may end otherwise the next time."""

    async def die(_run: Run) -> AsyncIterator[ServerEvent]:
        yield CompletedEvent(status="failed", error="it died", signal=number)

    async with Stage(FakeModel(die)) as stage:
        entry = await stage.queue.ended(stage.queue.add(VERSION))
        assert entry.outcome is not None
        assert (entry.outcome.error, entry.outcome.interrupted) == ("it died", interrupted)


async def test_the_start_is_told_as_it_was() -> None:
    """Only what runs for a while has its start reported by itself, and then when the model was asked."""
    said: list[float] = []
    async with Stage(FakeModel(forever)) as stage:
        real = stage.queue.started

        async def listen(prediction_id: str, lease_token: str, *, ago: float = 0.0) -> bool:
            said.append(ago)
            if len(said) == 1:
                raise OSError("the disk is full for a moment")
            return await real(prediction_id, lease_token, ago=ago)

        stage.queue.started = listen  # type: ignore[method-assign]
        stage.queue.add(VERSION)
        await until(lambda: len(said) == 2)
        (entry,) = stage.queue.entries.values()
        await until(lambda: entry.prediction.started_at is not None)
    assert 0 <= said[0] < said[1]


async def test_another_run_has_another_name() -> None:
    """A model server remembers what it has run by name, and would give the end of the first run for the second."""
    names: list[str] = []

    async with Stage(FakeModel(noting(names))) as stage:
        for attempts in (0, 1, 2):
            prediction = stage.queue.add(VERSION)
            entry = stage.queue.entries[prediction]
            entry.prediction = replace(entry.prediction, attempts=attempts)
            await stage.queue.ended(prediction)
    assert names == ["p1", "p2-2", "p3-3"]


async def test_a_server_that_restarts_its_model_is_waited_for() -> None:
    """While setup() runs again after a crash, a claimed prediction is kept, and run once the model is ready."""
    async with Stage(FakeModel(echo), accept_wait=0.1) as stage:
        await stage.queue.ended(stage.queue.add(VERSION))
        stage.model.setup = "hang"
        prediction = stage.queue.add(VERSION)
        await asyncio.sleep(0.3)
        stage.model.setup = "ok"
        entry = await stage.queue.ended(prediction)
        assert entry.claims == 1
        assert entry.prediction.status is Status.SUCCEEDED


async def test_a_server_that_gave_up_is_ended() -> None:
    """A model whose restarts keep failing takes no more: the instance ends, the prediction is left to its lease."""
    async with Stage(FakeModel(echo)) as stage:
        await stage.queue.ended(stage.queue.add(VERSION))
        stage.model.setup = "fail"
        prediction = stage.queue.add(VERSION)
        async with asyncio.timeout(5):
            assert await stage.life == Exit(code=-9)
        assert stage.queue.entries[prediction].outcome is None


async def test_being_told_to_stop_reports_nothing() -> None:
    """An instance cancelled from outside leaves its prediction to the lease, and that the model saw it stays known."""
    async with Stage(FakeModel(forever)) as stage:
        prediction = stage.queue.add(VERSION)
        await stage.until_busy()
    assert stage.queue.entries[prediction].outcome is None
    token = stage.queue.entries[prediction].token
    assert token is not None
    assert stage.handovers.seen(token) is Seen.YES
    assert await stage.queue.recover() == Recovery(again=1)
    assert stage.runtime.live == {}


async def test_a_lost_lease_drops_the_prediction() -> None:
    """Overtaken, the instance stops the model's run, reports nothing more and goes on."""
    async with Stage(FakeModel(forever), lease=0.3) as stage:
        prediction = stage.queue.add(VERSION)
        await stage.until_busy()
        stage.queue.entries[prediction].token = "someone else"
        stage.queue.entries[prediction].expires_at = datetime.now(UTC) + timedelta(hours=1)
        await until(lambda: not stage.host.view().busy)
        assert stage.queue.entries[prediction].outcome is None
        assert not stage.life.done()


async def test_leases_are_renewed_while_the_model_works() -> None:
    """A prediction longer than its lease keeps it."""
    async with Stage(FakeModel(forever), lease=0.3) as stage:
        prediction = stage.queue.add(VERSION)
        await until(lambda: stage.queue.renewals >= 4)
        assert stage.queue.entries[prediction].claims == 1


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        ("fail", "setup() failed"),
        ("die", "ended with exit status 1 during"),
        ("killed", "was killed (signal 9"),
        ("worker-killed", "was killed (signal 9"),
        ("hang", "not ready after 0.05 seconds"),
    ],
)
async def test_a_setup_that_fails_keeps_reason_and_logs(setup: str, reason: str) -> None:
    """Raised, dead or too slow: the error says which, with what setup printed."""
    stage = Stage(FakeModel(setup=setup), setup_timeout=0.05)
    async with stage:
        with pytest.raises(SetupFailedError, match=reason.replace("(", r"\(").replace(")", r"\)")) as failed:
            await stage.life
    assert "loading weights" in failed.value.logs
    assert stage.host.setup_logs == failed.value.logs


async def test_a_store_that_fails_for_a_moment_loses_no_outcome() -> None:
    """What the model made is stored once the store takes it again; nothing is run twice for that."""
    async with Stage(FakeModel(echo)) as stage:
        real = stage.queue.finished
        failures: list[str] = []

        async def fails_once(prediction_id: str, lease_token: str, outcome: Outcome) -> bool:
            if not failures:
                failures.append("disk full")
                raise OSError("disk full")
            return await real(prediction_id, lease_token, outcome)

        stage.queue.finished = fails_once  # type: ignore[method-assign]  # a fault, injected
        entry = await stage.queue.ended(stage.queue.add(VERSION, {"text": "x"}))
        assert failures == ["disk full"]
        assert (entry.claims, entry.outcome.output if entry.outcome else "") == (1, "hello x")


async def test_a_claim_that_fails_is_tried_again() -> None:
    """An instance does not end because the store failed to hand out work for a moment."""
    async with Stage(FakeModel(echo)) as stage:
        real = stage.queue.claim
        failures: list[str] = []

        async def fails_once(deployable: str, *, instance: str) -> Claim | None:
            if not failures:
                failures.append(instance)
                raise OSError("disk full")
            return await real(deployable, instance=instance)

        stage.queue.claim = fails_once  # type: ignore[method-assign]  # a fault, injected
        entry = await stage.queue.ended(stage.queue.add(VERSION))
        assert failures == ["i1"]
        assert entry.prediction.status is Status.SUCCEEDED
        assert not stage.life.done()


async def test_a_store_that_fails_cancels_nothing() -> None:
    """Not being able to ask whether a prediction was canceled does not cancel it."""
    gate = asyncio.Event()

    async def wait(_run: Run) -> AsyncIterator[ServerEvent]:
        await gate.wait()
        yield CompletedEvent(status="succeeded", output="done")

    async with Stage(FakeModel(wait)) as stage:
        asked: list[str] = []

        async def fails(prediction_id: str) -> None:
            asked.append(prediction_id)
            raise OSError("disk full")

        stage.queue.wait_canceled = fails  # type: ignore[method-assign]  # a fault, injected
        prediction = stage.queue.add(VERSION)
        await until(lambda: bool(asked))
        gate.set()
        entry = await stage.queue.ended(prediction)
        assert entry.prediction.status is Status.SUCCEEDED


async def test_idle_time_counts_from_the_last_prediction() -> None:
    """A busy instance is not idle; a ready one without work is, since its work ended."""
    async with Stage(FakeModel(echo)) as stage:
        await stage.queue.ended(stage.queue.add(VERSION))
        await stage.until_busy(0)
        view = stage.host.view()
        assert view.phase is Phase.READY
        assert view.idle_since is not None
        assert view.idle_since >= view.since


async def test_logs_without_end_are_cut() -> None:
    """A model that prints without end fills neither memory nor the store, and the log says so."""

    async def shout(_run: Run) -> AsyncIterator[ServerEvent]:
        for _ in range(10):
            yield LogEvent(text="x" * (1 << 20))
        yield CompletedEvent(status="succeeded")

    async with Stage(FakeModel(shout)) as stage:
        entry = await stage.queue.ended(stage.queue.add(VERSION))
        assert len(entry.logs) < 9 << 20
        assert "was dropped" in entry.logs
