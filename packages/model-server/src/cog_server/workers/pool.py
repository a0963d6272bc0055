"""All workers of one model, seen as one: what `/health-check`, a restart and the end of the server ask of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cog_server.errors import SetupFailedError
from cog_server.workers import messages
from cog_server.workers.health import Health, together
from cog_server.workers.lane import Lane
from cog_server.workers.process import WorkerProcess
from cog_server.workers.setup import Setup
from cog_server.workers.supervisor import SHUTDOWN_SECONDS, Supervisor


class Pool:
    """The supervisors of a model's workers. It speaks for the first that is ready where one must speak for all."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = tuple(lanes)
        self._all = tuple(lane.supervisor for lane in self.lanes)

    @property
    def _speaker(self) -> Supervisor:
        return next((one for one in self._all if one.ready is not None), self._all[0])

    @property
    def health(self) -> Health:
        """READY as long as one worker is."""
        return together([one.health for one in self._all])

    @property
    def ready(self) -> messages.Ready | None:
        """What a worker that is ready said of the model."""
        return self._speaker.ready

    @property
    def setup(self) -> Setup:
        """What is known of the setup: its end, outcome and logs."""
        return self._speaker.setup

    @property
    def failure(self) -> str | None:
        """Why a worker does not run, when one does not."""
        return next((one.failure for one in self._all if one.failure is not None), None)

    @property
    def restarts(self) -> int:
        """How often a worker was started again."""
        return sum(one.restarts for one in self._all)

    @property
    def pid(self) -> int | None:
        """The process number of the first worker."""
        return self._all[0].pid

    @property
    def pids(self) -> set[int]:
        """The process numbers of all workers."""
        return {one.pid for one in self._all if one.pid is not None}

    @property
    def ready_count(self) -> int:
        """How many workers take predictions."""
        return sum(one.ready is not None for one in self._all)

    def each_pid(self) -> list[int | None]:
        """Return the process number of each worker, None for one that does not run."""
        return [one.pid for one in self._all]

    def each(self) -> list[dict[str, Any]]:
        """Return what is to be said of each worker, when there are several."""
        if len(self._all) == 1:
            return []
        return [
            {
                "status": one.health.value,
                "restarts": one.restarts,
                "running": len(lane.running),
                **({} if one.failure is None else {"error": one.failure}),
            }
            for lane, one in zip(self.lanes, self._all, strict=True)
        ]

    async def start(self, process: WorkerProcess | None = None) -> None:
        """Start every worker; the first may have been spawned before."""
        await asyncio.gather(self._all[0].start(process), *(one.start() for one in self._all[1:]))

    async def settled(self) -> messages.Ready:
        """Wait until one worker is ready. Raises SetupFailedError, with the logs, when none will be."""
        waiting = {asyncio.ensure_future(one.settled()) for one in self._all}
        failed: SetupFailedError | None = None
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    try:
                        return task.result()
                    except SetupFailedError as exc:
                        failed = exc
        finally:
            for task in waiting:
                task.cancel()
        raise failed or SetupFailedError("there is no worker")

    def restart(self, reason: str) -> None:
        """Put a new worker in the place of each."""
        for one in self._all:
            one.restart(reason)

    async def healthcheck(self) -> messages.Health:
        """Ask every worker that can answer for the model's own healthcheck; the first bad answer counts."""
        asked = [
            lane.supervisor
            for lane in self.lanes
            if lane.supervisor.ready is not None and (lane.supervisor.ready.is_async or not lane.running)
        ]
        answers = await asyncio.gather(*(one.healthcheck() for one in asked))
        return next((answer for answer in answers if not answer.ok), messages.Health(ok=True))

    async def close(self, grace: float = SHUTDOWN_SECONDS) -> None:
        """Let all workers end in peace, then kill them."""
        await asyncio.gather(*(one.close(grace) for one in self._all))
