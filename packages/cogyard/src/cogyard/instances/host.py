"""The life of one instance: start, become ready, claim and run predictions, drain, end.

Theory of operation: a host owns one model server and as many claims as it has slots. One task claims; each claim
runs in a task of its own (`run.py`). A slot is free as soon as the model is done with it; the outcome is still
being stored then. Where the model is quick, what a slot does next is claimed already (`ahead.py`). When the server
dies by itself, what it ran has failed, with the reason. When *we* are told to stop at once (`run` is cancelled),
nothing is reported: the leases run out, and the predictions run again where that is safe.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.capacity import UNCOUNTED, Grant
from cogyard.instances.ahead import Ahead
from cogyard.instances.errors import PrepareFailedError, SetupFailedError, SetupKilledError
from cogyard.instances.run import PredictionRun, RunOptions, Served, Work
from cogyard.instances.runtime import Exit, Prepared, Running
from cogyard.instances.server import Health, ModelServer
from cogyard.instances.waiting import end, first
from cogyard.instances.work import Claim

_log = logging.getLogger("cogyard.instances")

#: Seconds after a claim that failed.
_CLAIM_AGAIN = 1.0
#: Seconds that a model server gets to run the model's teardown.
_STOP_GRACE = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class HostOptions:
    """Times in seconds."""

    run: RunOptions = field(default_factory=RunOptions)
    setup_timeout: float = 600.0
    #: How long a host sleeps for work before it asks again, should a wake-up be lost.
    claim_wait: float = 30.0


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Host:
    """One instance of one deployable. `run` is its whole life; the other methods may be called from outside."""

    def __init__(
        self,
        *,
        instance: str,
        deployable: str,
        work: Work,
        options: HostOptions,
        connect: Callable[[str], ModelServer],
        now: Callable[[], datetime] = utc_now,
        changed: Callable[[], None] = lambda: None,
        grant: Grant = UNCOUNTED,
        spare: Callable[[], bool] = lambda: False,
    ) -> None:
        self.id = instance
        #: What it holds of the machine while it lives.
        self.grant = grant
        self.deployable = deployable
        #: Whether it has ever taken work.
        self.was_ready = False
        #: What setup() printed, as far as known.
        self.setup_logs = ""
        self._work = work
        self._options = options
        self._connect = connect
        self._now = now
        self._changed = changed
        #: Whether another instance would begin at once what this one claims ahead.
        self._spare = spare
        self._ahead = Ahead(work.reports, instance=instance)
        self._phase = Phase.STARTING
        self._since = now()
        self._idle_since: datetime | None = None
        self._slots = 1
        self._busy = 0
        self._told: Callable[[str], str] = str
        self._runs: set[asyncio.Task[None]] = set()
        self._draining = asyncio.Event()
        self._free: asyncio.Future[None] | None = None
        self._waiting: asyncio.Timeout | None = None

    @property
    def free(self) -> bool:
        """Whether it would begin at once what it claims."""
        return self._phase is Phase.READY and self._busy < self._slots

    def view(self) -> InstanceView:
        """Return what the autoscaling policy needs to know."""
        return InstanceView(
            id=self.id,
            deployable=self.deployable,
            phase=self._phase,
            since=self._since,
            slots=self._slots,
            busy=self._busy,
            idle_since=self._idle_since,
            holds=self.grant.resources,
        )

    def drain(self) -> None:
        """Claim nothing more, finish what runs, end."""
        self._draining.set()
        self._interrupt()
        self._enter(Phase.DRAINING)

    async def run(self, prepared: Prepared) -> Exit | None:
        """Live; return None after a drain, or how the server ended by itself.

        Raises PrepareFailedError or SetupFailedError when the instance never became ready.
        """
        if self._draining.is_set():
            return None
        self._slots = prepared.slots
        self._told = prepared.reach.told
        if self.grant.lacks:
            raise PrepareFailedError(
                f"{self.grant.lacks} of the {self.grant.resources.gpus} GPUs that this model needs are not free."
            )
        running = await prepared.start(self.id, self.grant)
        server = self._connect(running.address)
        served = Served(
            instance=self.id,
            server=server,
            running=running,
            reach=prepared.reach,
            death=asyncio.create_task(running.wait()),
        )
        grace = _STOP_GRACE
        try:
            await self._wait_ready(served)
            if not self._draining.is_set():
                self.was_ready = True
                self._idle_since = self._now()
                self._enter(Phase.READY)
            await self._serve(served)
            return served.death.result() if served.death.done() else None
        except asyncio.CancelledError:
            grace = (
                0.0  # Told to stop at once: what runs is left to its lease, so there is nothing to wait for.
            )
            raise
        finally:
            await end(*self._runs, served.death)
            await server.aclose()
            await running.stop(grace=grace)

    async def _wait_ready(self, served: Served) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        deadline = begun + self._options.setup_timeout
        while not self._draining.is_set():
            health = await served.server.health()
            if health is not None and self._judge(health, served.running):
                # What the author says in the code is known to the server only, as is how large a batch may be.
                self._slots = health.slots or self._slots
                return
            if served.death.done():
                ended = served.death.result()
                kind = SetupKilledError if ended.was_killed else SetupFailedError
                raise self._failed(f"The instance {ended} during setup().", served.running, kind)
            if clock() >= deadline:
                raise self._failed(
                    f"The model was not ready after {self._options.setup_timeout:g} seconds.", served.running
                )
            # A setup of ten minutes need not be asked about as often as one of a second.
            await first(served.death, timeout=min(max((clock() - begun) / 20, 0.01), 0.5))

    def _judge(self, health: Health, running: Running) -> bool:
        """Say whether the model is ready; raise SetupFailedError when it never will be."""
        self.setup_logs = self._told(health.setup_logs)
        if health.broken:
            if health.setup_signal == signal.SIGKILL:
                raise self._failed(
                    "The model was killed (signal 9) during setup().", running, SetupKilledError
                )
            raise self._failed("The model's setup() failed.", running)
        return health.ready

    def _failed(
        self, message: str, running: Running, kind: type[SetupFailedError] = SetupFailedError
    ) -> SetupFailedError:
        self.setup_logs = self.setup_logs or self._told(running.logs())
        return kind(message, logs=self.setup_logs)

    async def _serve(self, served: Served) -> None:
        drain = asyncio.create_task(self._draining.wait())
        served.death.add_done_callback(lambda _death: self._interrupt())
        heard = True  # What waited before this instance was there.
        try:
            while not (served.death.done() or self._draining.is_set()):
                if (room := self._room()) <= 0:
                    self._free = asyncio.get_running_loop().create_future()
                    await first(self._free, served.death, drain)
                    continue
                if not heard:
                    await self._wait_for_work(served)
                    heard = True
                    continue  # Much may have happened meanwhile.
                heard = False
                for claim in await self._claim(room, served):
                    if self._busy < self._slots:
                        self._begin(claim, served)
                    else:
                        self._ahead.keep(claim)
            await self._ahead.close()
            while self._runs:
                await asyncio.wait(self._runs)
        finally:
            await self._ahead.close()
            await end(drain)

    def _room(self) -> int:
        """Return how many may be claimed now: what begins at once, and what no other instance would begin sooner."""
        free = self._slots - self._busy
        return min(free, 1) if self._spare() else free + self._ahead.room(self._slots)

    async def _wait_for_work(self, served: Served) -> None:
        """Return when there may be work, or nothing to do here any more.

        Waited for by this task itself: a word of work is heard at the loop's next turn, in time for a claim to share
        the commit of what it claims.
        """
        if served.death.done() or self._draining.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as waiting:
                self._waiting = waiting
                try:
                    await self._work.source.wait_for_work(self.deployable, timeout=self._options.claim_wait)
                finally:
                    self._waiting = None

    def _interrupt(self) -> None:
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def _claim(self, most: int, served: Served) -> Sequence[Claim]:
        """Claim, again and again while the store fails: that is no reason to end what runs."""
        while not (served.death.done() or self._draining.is_set()):
            try:
                return await self._work.source.claim_some(self.deployable, instance=self.id, most=most)
            except Exception:  # noqa: BLE001 - whatever it was, the next try says it again
                _log.exception("claim_failed", extra={"instance": self.id})
            await first(served.death, timeout=_CLAIM_AGAIN)
        return ()

    def _begin(self, claim: Claim, served: Served) -> None:
        begun = asyncio.get_running_loop().time()
        slot = _Slot(lambda: self._slot_freed(served, begun))
        self._busy += 1
        self._idle_since = None
        run = PredictionRun(claim, self._work, self._options.run, served, self._now())
        task = asyncio.create_task(run.execute(slot.free), name=f"prediction {claim.prediction.id}")
        self._runs.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, slot))

    def _ended(self, task: asyncio.Task[None], slot: _Slot) -> None:
        self._runs.discard(task)
        slot.free()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The prediction is left to its lease: it runs again where that is safe, or fails.
            _log.error("prediction_run_failed", extra={"instance": self.id}, exc_info=error)

    def _slot_freed(self, served: Served, begun: float) -> None:
        self._busy -= 1
        self._ahead.last_run = asyncio.get_running_loop().time() - begun
        ends = served.death.done() or self._draining.is_set()
        if not ends and (claim := self._ahead.next()) is not None:
            self._begin(claim, served)
        if self._free is not None and not self._free.done():
            self._free.set_result(None)
        if not self._busy:
            self._idle_since = self._now()
            self._changed()

    def _enter(self, phase: Phase) -> None:
        if self._phase is not phase:
            self._phase = phase
            self._since = self._now()
            self._changed()


class _Slot:
    """Room for one prediction, given back once however often it is said."""

    def __init__(self, freed: Callable[[], None]) -> None:
        self._freed = freed
        self._taken = True

    def free(self) -> None:
        if self._taken:
            self._taken = False
            self._freed()
