"""One claimed prediction, from the claim to its stored outcome.

Theory of operation: up to three tasks. The main one asks the model server and reads its events; the reporter sends
them on in order; the guard renews the lease and stops the prediction when somebody asks or the lease is lost. The
guard begins a moment after the run, since most that is quick needs none: whoever asked before is heard then.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cogyard.domain.values import Kind
from cogyard.http.traces import trace_headers
from cogyard.instances.errors import NotAcceptedError, ServerLostError
from cogyard.instances.events import CompletedEvent, LogEvent, OutputEvent
from cogyard.instances.reach import Reach
from cogyard.instances.reporter import Reporter
from cogyard.instances.runtime import Exit, Running
from cogyard.instances.server import PREDICTIONS, TRAININGS, ModelServer, Run
from cogyard.instances.waiting import end, first
from cogyard.instances.work import Cancellations, Claim, Handovers, Outcome, Reports, WorkSource

_log = logging.getLogger("cogyard.instances")

#: How often a cancel is repeated: the first may reach the server before the prediction does.
_CANCEL_AGAIN = 1.0
#: A run that ends within this time, in seconds, has no guard.
_GUARD_AFTER = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """Where a host gets predictions and whom it tells; the platform's queue is the first three."""

    source: WorkSource
    reports: Reports
    cancellations: Cancellations
    handovers: Handovers


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """Times in seconds."""

    #: How long a cancelled prediction may still run before its instance is ended.
    cancel_grace: float = 20.0
    #: How long a full model server is asked again before the prediction is left to its lease.
    accept_wait: float = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A live instance as one of its predictions sees it; `death` ends when the model server does."""

    instance: str
    server: ModelServer
    running: Running
    reach: Reach
    death: asyncio.Task[Exit]


class PredictionRun:
    """Runs one claim; `execute` is its whole life."""

    def __init__(self, claim: Claim, work: Work, options: RunOptions, served: Served, now: datetime) -> None:
        self._claim = claim
        self._work = work
        self._options = options
        self._served = served
        self._lease = max((claim.expires_at - now).total_seconds(), 0.3)
        self._reporter = Reporter(work.reports, claim)
        self._guarding: asyncio.Task[None] | None = None
        self._canceled = False
        # A model server gives the end of what it has run to whoever names it again: another run has another name there.
        seen = claim.prediction.attempts
        self._name = f"{claim.prediction.id}-{seen + 1}" if seen else claim.prediction.id
        self._room = TRAININGS if claim.prediction.kind is Kind.TRAINING else PREDICTIONS

    async def execute(self, free: Callable[[], None]) -> None:
        """Run to the outcome, or drop the prediction when the lease is lost; call `free` when the model is done."""
        guarding = asyncio.get_running_loop().call_later(_GUARD_AFTER, self._guard_now)
        try:
            outcome = await self._outcome()
            free()
            if outcome is not None:
                await self._reporter.finish(outcome)
            # When this is not reached the lease runs out, and then it has to be known that the model saw it.
            self._work.handovers.drop(self._claim.lease_token)
        finally:
            guarding.cancel()
            await self._reporter.close()
            if self._guarding is not None:
                await end(self._guarding)

    async def _outcome(self) -> Outcome | None:
        """Ask the model server; None when the prediction is no longer ours or was never taken."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._options.accept_wait
        while not self._reporter.lost.is_set():
            try:
                return await self._stream()
            except NotAcceptedError as error:
                self._work.handovers.drop(self._claim.lease_token)
                self._reporter.hold()
                if await self._restarts():
                    until = clock() + self._options.accept_wait
                if self._served.death.done() or clock() >= until:
                    # The model never saw it, so its lease may run out and it runs again without harm.
                    _log.warning("prediction_not_taken", extra=self._fields(reason=error.message))
                    return None
                await first(self._served.death, timeout=0.05)
            except ServerLostError as error:
                if self._canceled:
                    return Outcome(status="canceled", streamed=self._reporter.streamed)
                why, interrupted = await self._why(error)
                return Outcome(
                    status="failed",
                    streamed=self._reporter.streamed,
                    error=why,
                    interrupted=interrupted,
                )
        return None

    async def _restarts(self) -> bool:
        """Say whether the server runs setup() again, as after a crash of the model; end one that has given up."""
        health = await self._served.server.health()
        if health is not None and health.broken:
            _log.warning("instance_broken", extra=self._fields(status=health.status))
            await self._served.running.stop(grace=0)
        return health is not None and health.status == "STARTING"

    async def _stream(self) -> Outcome:
        prediction = self._claim.prediction
        request = Run(
            id=self._name,
            input=self._served.reach.inputs(prediction.input),
            created_at=prediction.created_at.isoformat(),
            output_file_prefix=self._served.reach.outputs(self._claim.lease_token),
            room=self._room,
            trace=trace_headers(prediction.trace),
        )
        self._hand_over()
        outcome: Outcome | None = None
        # To its end, which follows at once: what is left in the middle is cleaned up by a task of its own.
        async for event in self._served.server.predict(request):
            match event:
                case OutputEvent():
                    self._reporter.output(await self._kept(event.chunk))
                case LogEvent():
                    self._reporter.log(self._served.reach.told(event.text))
                case CompletedEvent():
                    streamed = self._reporter.streamed
                    outcome = Outcome(
                        status=event.status,
                        output=None if streamed else await self._kept(event.output),
                        streamed=streamed,
                        error=event.error and self._served.reach.told(event.error),
                        metrics=event.metrics,
                        interrupted=event.signal == signal.SIGKILL,
                    )
        if outcome is None:
            raise ServerLostError("The model server ended the answer before the prediction was complete.")
        return outcome

    def _hand_over(self) -> None:
        """Note that the model is about to see the prediction. Raises NotAcceptedError where that can't be kept."""
        try:
            self._work.handovers.note(self._claim.lease_token)
        except OSError as error:
            _log.exception("handover_not_noted", extra=self._fields())
            raise NotAcceptedError(f"That it is handed over could not be noted: {error.strerror}.") from error
        self._reporter.begin()

    async def _kept(self, output: Any) -> Any:
        return await self._served.reach.kept(output, self._claim.lease_token)

    def _guard_now(self) -> None:
        self._guarding = asyncio.create_task(self._guard())

    async def _guard(self) -> None:
        """Renew the lease; stop the prediction when somebody asks or it is no longer ours."""
        asked = asyncio.create_task(self._asked())
        lost = asyncio.create_task(self._reporter.lost.wait())
        try:
            while not (asked.done() or lost.done()):
                await first(asked, lost, timeout=self._lease / 3)
                await self._renew()
            self._canceled = True
            await self._stop()
        finally:
            await end(asked, lost)

    async def _asked(self) -> None:
        """Return once somebody wants the prediction stopped; a store that fails for a moment wants nothing."""
        while True:
            try:
                return await self._work.cancellations.wait_canceled(self._claim.prediction.id)
            except Exception:  # noqa: BLE001 - as in _renew
                _log.exception("cancel_not_watched", extra=self._fields())
                await asyncio.sleep(_CANCEL_AGAIN)

    async def _renew(self) -> None:
        try:
            held = await self._work.source.renew(self._claim.prediction.id, self._claim.lease_token)
        except Exception:  # noqa: BLE001 - the store may be busy for a moment; two more chances are left
            _log.exception("lease_not_renewed", extra=self._fields())
            return
        if not held:
            self._reporter.lose()

    async def _stop(self) -> None:
        """Cancel until the prediction ends, which ends this task; then end a server that does not obey."""
        for _ in range(max(1, round(self._options.cancel_grace / _CANCEL_AGAIN))):
            await self._served.server.cancel(self._name, room=self._room)
            await asyncio.sleep(_CANCEL_AGAIN)
            await self._renew()
        _log.warning("cancel_ignored", extra=self._fields())
        await self._served.running.stop(grace=0)

    async def _why(self, error: ServerLostError) -> tuple[str, bool]:
        """Say why the server went away, and whether somebody killed it; its end gets a moment to be noticed."""
        death = self._served.death
        await first(death, timeout=2.0)
        if death.done() and not death.cancelled():
            return f"The instance {death.result()} while it ran this prediction.", death.result().was_killed
        return error.message, False

    def _fields(self, **more: str) -> dict[str, str]:
        return {"prediction": self._claim.prediction.id, "instance": self._served.instance, **more}
