"""The controller, its fleet and its queue, all in memory, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import pytest
from cogyard.domain.autoscale import Limits, Phase, Scale
from cogyard.fleet.controller import Controller, ControllerOptions, Overview
from cogyard.fleet.local import LocalFleet
from cogyard.instances.host import HostOptions
from cogyard.instances.run import Work
from cogyard.instances.work import Claim
from cogyard.testing.handovers import FakeHandovers
from cogyard.testing.instances import FakeModel, FakeRuntime, echo, forever
from cogyard.testing.queue import OTHER_VERSION, VERSION, FakeQueue

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class _Own:
    """Scales as deployments have them."""

    found: Mapping[str, Scale]

    async def scales(self) -> Mapping[str, Scale]:
        """Return them."""
        return self.found


class _Stage:
    """A platform without a store or a web: only what decides and runs."""

    def __init__(
        self, models: dict[str, FakeModel], *, room: int = 4, own: Mapping[str, Scale] | None = None
    ) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)
        self.queue = FakeQueue(now=self._clock, lease=3600)
        self.runtime = FakeRuntime(models)
        work = Work(
            source=self.queue, reports=self.queue, cancellations=self.queue, handovers=FakeHandovers()
        )
        self.fleet = LocalFleet(
            runtime=self.runtime,
            work=work,
            options=HostOptions(setup_timeout=5),
            connect=self.runtime.connect,
            now=self._clock,
        )
        self.overview = Overview(instances=(), waiting={}, troubles={})
        self.controller = Controller(
            self.fleet,
            self.queue,
            work,
            ControllerOptions(
                limits=Limits(max_instances=room),
                scale=Scale(idle_timeout=timedelta(seconds=60)),
                rest=0.001,
            ),
            scales=_Own(own or {}),
            now=self._clock,
            observe=self._observe,
        )

    def _clock(self) -> datetime:
        return self.now

    def _observe(self, overview: Overview) -> None:
        self.overview = overview

    async def __aenter__(self) -> Self:
        self.loop = asyncio.create_task(self.controller.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.loop.cancel()
        await asyncio.gather(self.loop, return_exceptions=True)
        await self.fleet.stop(grace=0)

    async def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await self.controller.look()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event, and needs none but here
                await asyncio.sleep(0.001)


@pytest.fixture
async def hello() -> AsyncIterator[_Stage]:
    """Give a running stage with one model that answers."""
    async with _Stage({VERSION: FakeModel(echo)}) as stage:
        yield stage


async def test_from_zero_to_the_answer_and_back_to_zero(hello: _Stage) -> None:
    """Work starts an instance, is answered, and the idle instance ends after its timeout."""
    entry = await hello.queue.ended(hello.queue.add(VERSION, {"text": "Bob"}))
    assert entry.outcome is not None
    assert entry.outcome.output == "hello Bob"
    await hello.until(lambda: [view.busy for view in hello.fleet.views()] == [0])
    await hello.later(59)
    assert len(hello.fleet.views()) == 1
    await hello.later(1)
    await hello.until(lambda: hello.fleet.views() == [])


async def test_a_burst_shares_one_instance(hello: _Stage) -> None:
    """Twenty requests while the first instance starts make one instance and twenty answers."""
    ids = [hello.queue.add(VERSION) for _ in range(20)]
    for prediction in ids:
        await hello.queue.ended(prediction)
    assert hello.runtime.models[VERSION].starts == 1


async def test_a_failing_setup_fails_what_waits() -> None:
    """The predictions that wait fail with the reason and the setup's log; a later one is tried anew."""
    async with _Stage({VERSION: FakeModel(setup="fail")}) as stage:
        first = stage.queue.add(VERSION)
        entry = await stage.queue.ended(first)
        assert entry.outcome is not None
        assert entry.outcome.status == "failed"
        assert "setup() failed" in (entry.outcome.error or "")
        assert "loading weights" in entry.logs
        await stage.until(lambda: stage.fleet.views() == [])
        stage.runtime.models[VERSION].setup = "ok"
        second = stage.queue.add(VERSION)
        await stage.later(2)
        assert (await stage.queue.ended(second)).prediction.status == "succeeded"
        assert stage.overview.troubles == {} or stage.overview.troubles[VERSION].failures == 1


@pytest.mark.parametrize("setup", ["killed", "worker-killed"])
async def test_who_is_killed_in_setup_is_started_again_before_anything_fails(setup: str) -> None:
    """A kill from outside says nothing about the model: what waits is served by the next start, if that comes to it."""
    async with _Stage({VERSION: FakeModel(setup=setup)}) as stage:
        waiting = stage.queue.add(VERSION)
        await stage.until(lambda: stage.runtime.models[VERSION].starts == 1 and stage.fleet.views() == [])
        stage.runtime.models[VERSION].setup = "ok"
        await stage.later(2)
        assert (await stage.queue.ended(waiting)).prediction.status == "succeeded"


async def test_a_crash_loop_is_stopped() -> None:
    """After five failed starts no more is started, and new predictions fail at once with the reason."""
    async with _Stage({VERSION: FakeModel(setup="die")}) as stage:
        for _ in range(5):
            await stage.queue.ended(stage.queue.add(VERSION))
            await stage.until(lambda: stage.fleet.views() == [])
            await stage.later(20)
        entry = await stage.queue.ended(stage.queue.add(VERSION))
        assert stage.runtime.models[VERSION].starts == 5
        assert entry.outcome is not None
        assert "5 times in a row" in (entry.outcome.error or "")


async def test_what_keeps_crashing_unasked_is_not_kept_warm() -> None:
    """Ready and dead five times in a row: not started again for ten minutes, unless work comes; the reason is kept."""
    async with _Stage({VERSION: FakeModel(echo)}, own={VERSION: Scale(min_instances=1)}) as stage:
        model = stage.runtime.models[VERSION]
        for number in range(1, 6):
            await stage.until(lambda: any(view.phase is Phase.READY for view in stage.fleet.views()))
            next(iter(stage.runtime.live.values())).die(-9)
            await stage.until(lambda: stage.fleet.views() == [])
            assert model.starts == number
            await stage.later(61)
        assert (model.starts, stage.fleet.views()) == (5, [])
        assert stage.overview.troubles[VERSION].failures == 5
        assert (await stage.queue.ended(stage.queue.add(VERSION))).prediction.status == "succeeded"
        assert model.starts == 6


async def test_many_that_share_a_little_become_one() -> None:
    """After a burst, a request now and then keeps one instance, whichever of them answers it."""
    own = {VERSION: Scale(max_instances=3, idle_timeout=timedelta(seconds=60))}
    async with _Stage({VERSION: FakeModel(echo)}, own=own) as stage:
        for _ in range(3):
            stage.fleet.start(VERSION)
        await stage.until(lambda: all(view.phase is Phase.READY for view in stage.fleet.views()))
        for _ in range(14):
            await stage.queue.ended(stage.queue.add(VERSION, {"text": "x"}))
            await stage.until(lambda: not any(view.busy for view in stage.fleet.views()))
            await stage.later(5)
        await stage.until(lambda: len(stage.fleet.views()) == 1)


async def test_a_version_that_cannot_run_says_why() -> None:
    """A refused image fails its predictions with the refusal."""
    async with _Stage({}) as stage:
        entry = await stage.queue.ended(stage.queue.add(VERSION))
        assert entry.outcome is not None
        assert "has no lock" in (entry.outcome.error or "")


async def test_a_dead_server_is_replaced() -> None:
    """When a ready server dies, its prediction fails and the next one gets a new instance."""
    async with _Stage({VERSION: FakeModel(forever)}) as stage:
        first = stage.queue.add(VERSION)
        await stage.until(lambda: [view.busy for view in stage.fleet.views()] == [1])
        second = stage.queue.add(VERSION)
        next(iter(stage.runtime.live.values())).die(-11)
        entry = await stage.queue.ended(first)
        assert entry.outcome is not None
        assert "signal 11" in (entry.outcome.error or "")
        await stage.until(lambda: stage.fleet.views() == [])
        await stage.later(2)
        await stage.until(lambda: bool(stage.queue.entries[second].outputs))


async def test_another_versions_work_takes_an_idle_place() -> None:
    """With room for one, the idle instance drains for the version that has work."""
    async with _Stage({VERSION: FakeModel(echo), OTHER_VERSION: FakeModel(echo)}, room=1) as stage:
        await stage.queue.ended(stage.queue.add(VERSION))
        await stage.queue.ended(stage.queue.add(OTHER_VERSION))
        await stage.until(lambda: [view.deployable for view in stage.fleet.views()] == [OTHER_VERSION])


async def test_a_busy_machine_takes_turns() -> None:
    """With room for one and endless work for both, each gets its turn, and nothing is lost."""
    async with _Stage({VERSION: FakeModel(echo), OTHER_VERSION: FakeModel(forever)}, room=1) as stage:
        blocker = stage.queue.add(OTHER_VERSION)
        await stage.until(lambda: [view.busy for view in stage.fleet.views()] == [1])
        waiting = stage.queue.add(VERSION)
        stage.queue.add(OTHER_VERSION)
        await stage.later(0)
        await stage.later(31)
        assert [view.phase for view in stage.fleet.views()] == [Phase.DRAINING]
        stage.queue.cancel(blocker)
        assert (await stage.queue.ended(waiting)).prediction.status == "succeeded"


async def test_a_store_that_fails_for_a_moment_is_outlived(hello: _Stage) -> None:
    """The controller goes on after an error of the backlog."""
    real = hello.queue.waiting
    failed: list[bool] = []

    async def fails_once() -> object:
        if not failed:
            failed.append(True)
            raise OSError("disk full")
        return await real()

    hello.queue.waiting = fails_once  # type: ignore[method-assign, assignment]  # a fault, injected
    hello.queue.add(VERSION)
    await hello.until(lambda: bool(failed))
    await hello.controller.look()
    await hello.until(lambda: hello.fleet.views() != [])
    assert not hello.loop.done()


async def test_stopping_drains_within_its_grace() -> None:
    """A stop lets what runs finish in time, ends the rest, and leaves no server behind."""
    async with _Stage({VERSION: FakeModel(echo), OTHER_VERSION: FakeModel(forever)}) as stage:
        await stage.queue.ended(stage.queue.add(VERSION))
        stage.queue.add(OTHER_VERSION)
        await stage.until(lambda: sum(view.busy for view in stage.fleet.views()) == 1)
        assert await stage.fleet.stop(grace=0.05) == 1
        assert stage.runtime.live == {}


@pytest.mark.parametrize(("instances", "asked"), [(1, 9), (2, 1)])
async def test_what_a_free_instance_would_begin_is_left_to_it(instances: int, asked: int) -> None:
    """A free instance claims one beside another free one of its deployable; alone, also what it begins in a moment."""
    async with _Stage({VERSION: FakeModel(echo), OTHER_VERSION: FakeModel(echo)}) as stage:
        stage.loop.cancel()  # It would end what is not needed.
        said: list[int] = []
        real = stage.queue.claim_some

        async def noted(deployable: str, *, instance: str, most: int) -> Sequence[Claim]:
            if deployable == VERSION:
                said.append(most)
            return await real(deployable, instance=instance, most=most)

        stage.queue.claim_some = noted  # type: ignore[method-assign]  # listened to
        for _ in range(instances):
            stage.fleet.start(VERSION)
        stage.fleet.start(OTHER_VERSION)
        await stage.until(lambda: all(view.phase is Phase.READY for view in stage.fleet.views()))
        # Each instance learns how quick the model is.
        for _ in range(2 * instances):
            await stage.queue.ended(stage.queue.add(VERSION, {"text": "x"}))
        await stage.until(lambda: not any(view.busy for view in stage.fleet.views()))
        said.clear()
        await stage.queue.ended(stage.queue.add(VERSION, {"text": "x"}))
        assert set(said) == {asked}
