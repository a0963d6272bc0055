"""A runtime and model servers in memory, and what every runtime promises.

`FakeRuntime` runs `FakeModel`s: Python functions that yield a model server's events. `RuntimeContract` is run over
it and over the real ones: subclass it in a test module, with the fixtures that its docstring names.
"""
# ruff: noqa: S101 - a contract suite asserts

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cogyard.domain.capacity import UNCOUNTED, Grant
from cogyard.instances.errors import ImageRefusedError, NotAcceptedError, ServerLostError
from cogyard.instances.events import CompletedEvent, OutputEvent, ServerEvent
from cogyard.instances.reach import DirectReach, Reach
from cogyard.instances.runtime import Exit, Prepared, Progress, Running, Runtime, silent
from cogyard.instances.server import PREDICTIONS, Health, ModelServer, Run

#: What a model does with one prediction: yields a model server's events.
Behaviour = Callable[[Run], AsyncIterator[ServerEvent]]


async def echo(run: Run) -> AsyncIterator[ServerEvent]:
    """Answer `hello ` and the input's text."""
    yield CompletedEvent(status="succeeded", output=f"hello {run.input.get('text', '')}")


async def count(run: Run) -> AsyncIterator[ServerEvent]:
    """Yield the numbers below the input's `n`, then end; one is failed with on `n` = -1."""
    if run.input.get("n") == -1:
        yield CompletedEvent(status="failed", error="n must not be negative")
        return
    for number in range(int(run.input.get("n", 3))):
        await asyncio.sleep(0)
        yield OutputEvent(chunk=number)
    yield CompletedEvent(status="succeeded", output=list(range(int(run.input.get("n", 3)))))


async def forever(run: Run) -> AsyncIterator[ServerEvent]:
    """Say that it began, and never end."""
    yield OutputEvent(chunk=f"begun {run.id}")
    await asyncio.Event().wait()


@dataclass
class FakeModel:
    """A version as the FakeRuntime runs it. `setup` is `ok`, `fail`, `hang`, `die`, `killed` or `worker-killed`."""

    behaviour: Behaviour = echo
    slots: int = 1
    #: What its server tells of them.
    slots_told: int | None = None
    setup: str = "ok"
    setup_logs: str = "loading weights\n"
    obeys_cancel: bool = True
    starts: int = 0


class FakeRuntime:
    """Runs FakeModels by version; the same object makes the servers for their addresses."""

    name = "fake"
    isolated = True

    def __init__(self, models: Mapping[str, FakeModel]) -> None:
        self.models = models
        self.live: dict[str, FakeRunning] = {}

    async def prepare(self, version: str, *, progress: Progress = silent) -> Prepared:
        """Look the model up; one that is not there is refused, as an image without a lock is."""
        progress("looking")
        if version not in self.models:
            raise ImageRefusedError(f"Version {version} has no lock of its Python environment.")
        return _FakePrepared(self, self.models[version])

    def connect(self, address: str) -> ModelServer:
        """Return the model server at a running instance's address."""
        return _FakeServer(self.live[address])


@dataclass(frozen=True)
class _FakePrepared:
    runtime: FakeRuntime
    model: FakeModel

    @property
    def slots(self) -> int:
        return self.model.slots

    @property
    def reach(self) -> Reach:
        return DirectReach("http://127.0.0.1:1")

    async def start(self, instance: str, grant: Grant = UNCOUNTED) -> Running:  # noqa: ARG002 - it has no limits
        self.model.starts += 1
        running = FakeRunning(self.model, f"fake:{instance}", self.runtime)
        self.runtime.live[running.address] = running
        if self.model.setup in {"die", "killed"}:
            running.die(1 if self.model.setup == "die" else -9)
        return running


class FakeRunning:
    """A model server that lives until it is stopped or told to die."""

    def __init__(self, model: FakeModel, address: str, runtime: FakeRuntime) -> None:
        self.model = model
        self.address = address
        self._runtime = runtime
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.tasks: dict[str, asyncio.Event] = {}

    @property
    def dead(self) -> bool:
        """Whether it has ended."""
        return self._exit.done()

    def die(self, code: int) -> None:
        """End with this exit status, or killed by the signal -code."""
        if not self._exit.done():
            self._exit.set_result(Exit(code=code))

    async def wait(self) -> Exit:
        """Return once it has ended."""
        return await asyncio.shield(self._exit)

    async def stop(self, *, grace: float = 5.0) -> None:
        """End at once."""
        self.die(0 if grace else -9)
        self._runtime.live.pop(self.address, None)

    def logs(self) -> str:
        """Return what it printed."""
        return self.model.setup_logs


class _FakeServer:
    def __init__(self, running: FakeRunning) -> None:
        self._running = running

    async def health(self) -> Health | None:
        if self._running.dead:
            return None
        setup = self._running.model.setup
        broken = {"fail": "SETUP_FAILED", "worker-killed": "SETUP_FAILED"}
        return Health(
            status={"ok": "READY", **broken}.get(setup, "STARTING"),
            setup_logs=self._running.model.setup_logs,
            setup_signal=9 if setup == "worker-killed" else None,
            slots=self._running.model.slots_told,
        )

    async def predict(self, run: Run) -> AsyncIterator[ServerEvent]:
        if self._running.dead:
            raise NotAcceptedError("The model server does not take connections.")
        if self._running.model.setup != "ok":
            raise NotAcceptedError("The model server is not ready.")
        stop = self._running.tasks.setdefault(run.id, asyncio.Event())
        events = self._running.model.behaviour(run)
        waits = [asyncio.create_task(self._running.wait()), asyncio.create_task(stop.wait())]
        try:
            while True:
                step = asyncio.ensure_future(anext(events, None))
                await asyncio.wait([step, *waits], return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    step.cancel()
                    if self._running.dead:
                        raise ServerLostError("The model server broke off in the middle of a prediction.")
                    yield CompletedEvent(status="canceled")
                    return
                event = step.result()
                if event is None:
                    raise ServerLostError("The model server ended the answer early.")
                yield event
                if isinstance(event, CompletedEvent):
                    return
        finally:
            for task in waits:
                task.cancel()

    async def cancel(self, prediction_id: str, *, room: str = PREDICTIONS) -> None:
        del room  # one id, whatever it is
        if self._running.model.obeys_cancel and prediction_id in self._running.tasks:
            self._running.tasks[prediction_id].set()

    async def aclose(self) -> None:
        return


class RuntimeContract:
    """What a runtime promises. A subclass gives `runtime`, `connect`, and versions that behave as named.

    Fixtures: `runtime`; `connect` (address to ModelServer); `hello` (answers `hello TEXT`), `counting` (streams the
    numbers below `n`), `endless` (streams one value, then sleeps), `broken` (its setup fails): version ids.
    """

    async def test_an_instance_answers(self, runtime: Runtime, connect: Any, hello: str) -> None:
        """Prepared, started and ready, it runs a prediction; stopped, it has ended."""
        running = await (await runtime.prepare(hello)).start("hello-1")
        server = connect(running.address)
        try:
            assert await _ready(server) == "READY"
            events = [event async for event in server.predict(Run(id="p1", input={"text": "Alice"}))]
            end = events[-1]
            assert isinstance(end, CompletedEvent)
            assert (end.status, end.output) == ("succeeded", "hello Alice")
        finally:
            await server.aclose()
            await running.stop()
        async with asyncio.timeout(10):
            await running.wait()

    async def test_outputs_come_one_by_one(self, runtime: Runtime, connect: Any, counting: str) -> None:
        """What the model yields comes as output events, in order, before the end."""
        async with _started(runtime, connect, counting, "count-1") as (_, server):
            events = [event async for event in server.predict(Run(id="p1", input={"n": 3}))]
            assert [event.chunk for event in events if isinstance(event, OutputEvent)] == [0, 1, 2]
            assert isinstance(events[-1], CompletedEvent)

    async def test_two_instances_live_side_by_side(self, runtime: Runtime, connect: Any, hello: str) -> None:
        """Instances of one version share what was prepared and nothing else."""
        async with (
            _started(runtime, connect, hello, "twin-1") as (first, _),
            _started(runtime, connect, hello, "twin-2") as (second, server),
        ):
            assert first.address != second.address
            await first.stop()
            assert await server.health() is not None

    async def test_a_cancel_stops_the_model(self, runtime: Runtime, connect: Any, endless: str) -> None:
        """A prediction that never ends is canceled, and the last event says so."""
        async with _started(runtime, connect, endless, "endless-1") as (_, server):
            last: ServerEvent | None = None
            async for event in server.predict(Run(id="p1", input={})):
                last = event
                if isinstance(event, OutputEvent):
                    await server.cancel("p1")
            assert isinstance(last, CompletedEvent)
            assert last.status == "canceled"

    async def test_stopping_breaks_what_runs(self, runtime: Runtime, connect: Any, endless: str) -> None:
        """A server stopped in the middle of a prediction loses it, and its caller is told."""
        async with _started(runtime, connect, endless, "endless-2") as (running, server):
            lost = None
            try:
                async for event in server.predict(Run(id="p1", input={})):
                    if isinstance(event, OutputEvent):
                        await running.stop(grace=0)
                    if isinstance(event, CompletedEvent):
                        lost = event.status
            except ServerLostError:
                lost = "lost"
            assert lost in {"lost", "canceled", "failed"}

    async def test_a_failing_setup_is_said(self, runtime: Runtime, connect: Any, broken: str) -> None:
        """A model whose setup raises becomes SETUP_FAILED and its logs are kept."""
        running = await (await runtime.prepare(broken)).start("broken-1")
        server = connect(running.address)
        try:
            assert await _ready(server) == "SETUP_FAILED"
            health = await server.health()
            assert health is not None
            assert "loading weights" in health.setup_logs
        finally:
            await server.aclose()
            await running.stop()

    async def test_a_version_that_cannot_run_is_refused(self, runtime: Runtime) -> None:
        """A version that is not there, or can't run here, is refused before anything starts."""
        try:
            await runtime.prepare("f" * 64)
        except ImageRefusedError:
            return
        raise AssertionError("it was prepared")


class DiskContract:
    """What a runtime promises that holds instances to what they may write.

    Fixtures: `runtime`, whose instances may write 64 MiB; `connect`; `writing`: a version that writes as many MiB as
    its input `mib` says to its input `place`, waits `seconds`, and answers `written`.
    """

    async def test_a_little_may_be_written(self, runtime: Runtime, connect: Any, writing: str) -> None:
        """Up to the limit a model writes as it likes, and goes on."""
        async with _started(runtime, connect, writing, "writes-1") as (_, server):
            for number in range(2):
                run = Run(id=f"p{number}", input={"mib": 16, "place": "/tmp/a"})  # noqa: S108 - inside
                end = [event async for event in server.predict(run)][-1]
                assert isinstance(end, CompletedEvent)
                assert (end.status, end.output) == ("succeeded", "written"), end.error

    async def test_no_more_than_the_limit_is_kept(self, runtime: Runtime, connect: Any, writing: str) -> None:
        """A model that writes four times as much has no success of it: an error, or its end with a reason."""
        for place in ("/tmp/a", "/src/a"):  # noqa: S108 - inside
            async with _started(runtime, connect, writing, f"writes-{place[1:4]}") as (running, server):
                status, run = "lost", Run(id="p1", input={"mib": 256, "place": place, "seconds": 60.0})
                try:
                    end = [event async for event in server.predict(run)][-1]
                    assert isinstance(end, CompletedEvent)
                    status = end.status
                except ServerLostError:
                    async with asyncio.timeout(30):
                        ended = await running.wait()
                    assert not ended.was_killed, "we did, and say why"
                    assert "64.0 MiB" in str(ended)
                assert status in {"failed", "lost"}


class _started:  # noqa: N801 - used like a function
    """Start an instance, wait until it is ready, stop it in the end."""

    def __init__(self, runtime: Runtime, connect: Any, version: str, instance: str) -> None:
        self._args = (runtime, connect, version, instance)

    async def __aenter__(self) -> tuple[Running, ModelServer]:
        runtime, connect, version, instance = self._args
        self.running = await (await runtime.prepare(version)).start(instance)
        self.server: ModelServer = connect(self.running.address)
        assert await _ready(self.server) == "READY", self.running.logs()
        return self.running, self.server

    async def __aexit__(self, *_: object) -> None:
        await self.server.aclose()
        await self.running.stop()


async def _ready(server: ModelServer, timeout: float = 60.0) -> str:
    """Return the first health that is not about starting."""
    async with asyncio.timeout(timeout):
        while True:
            health = await server.health()
            if health is not None and health.status not in {"STARTING", "UNKNOWN"}:
                return health.status
            await asyncio.sleep(0.02)
