"""Instances on this machine, in this process: each is a task with a model server below it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cogyard.domain.autoscale import InstanceView
from cogyard.domain.capacity import NOTHING, Grant, Resources, free_devices
from cogyard.domain.deployables import version_of
from cogyard.features.instances.ports import Living
from cogyard.instances.errors import InstanceError
from cogyard.instances.host import Host, HostOptions, utc_now
from cogyard.instances.run import Work
from cogyard.instances.runtime import Exit, Runtime
from cogyard.instances.server import ModelServer
from cogyard.instances.tail import last_lines

_log = logging.getLogger("cogyard.fleet")

#: Characters of a living instance's setup log that are shown.
_SHOWN = 64_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How an instance's life ended: drained (neither), by itself (`exit`), or before it was ready (`error`)."""

    instance: str
    deployable: str
    started_at: datetime
    ended_at: datetime
    became_ready: bool
    exit: Exit | None = None
    error: InstanceError | None = None
    setup_logs: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    host: Host
    task: asyncio.Task[None]
    started_at: datetime


class LocalFleet:
    """Start, watch and end instances here. `ended` hears of each end, `changed` of anything that may matter.

    `gpus` says of which kind each of the machine's GPUs is, as in `free_devices`.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        work: Work,
        options: HostOptions,
        connect: Callable[[str], ModelServer],
        now: Callable[[], datetime] = utc_now,
        gpus: Sequence[str] = (),
    ) -> None:
        self._gpus = gpus
        self._runtime = runtime
        self._work = work
        self._options = options
        self._connect = connect
        self._now = now
        self._placed: dict[str, _Placed] = {}
        self.ended: Callable[[Ended], None] = lambda _ended: None
        self.changed: Callable[[], None] = lambda: None

    def views(self) -> list[InstanceView]:
        """Return every instance that lives, those being prepared among them."""
        return [placed.host.view() for placed in self._placed.values()]

    def deployables(self) -> set[str]:
        """Return what instances work for that live."""
        return {placed.host.deployable for placed in self._placed.values()}

    def living(self, deployable: str) -> list[Living]:
        """Return the instances that work for a deployable, the oldest first, with what their setup has printed."""
        return [
            Living(view=placed.host.view(), setup_logs=last_lines(placed.host.setup_logs, _SHOWN))
            for placed in self._placed.values()
            if placed.host.deployable == deployable
        ]

    def start(self, deployable: str, needs: Resources = NOTHING) -> str:
        """Begin one more instance and return its id; how it goes is told to `ended` and `changed`."""
        taken = [number for placed in self._placed.values() for number in placed.host.grant.devices]
        instance = f"{deployable[:12]}-{secrets.token_hex(4)}"
        host = Host(
            instance=instance,
            deployable=deployable,
            work=self._work,
            options=self._options,
            connect=self._connect,
            now=self._now,
            changed=lambda: self.changed(),  # noqa: PLW0108 - it may be set after the start
            spare=lambda: self._spare(deployable, instance),
            grant=Grant(resources=needs, devices=free_devices(self._gpus, taken, needs)),
        )
        started_at = self._now()
        task = asyncio.create_task(self._live(host, started_at), name=f"instance {instance}")
        self._placed[instance] = _Placed(host=host, task=task, started_at=started_at)
        _log.info("instance_starting", extra={"instance": instance, "version": deployable})
        return instance

    def drain(self, instance: str) -> None:
        """Let an instance finish what it runs and end; one that has ended is let be."""
        if instance in self._placed:
            self._placed[instance].host.drain()

    async def stop(self, *, grace: float) -> int:
        """Drain all, for at most `grace` seconds, then end the rest; return how many had to be ended."""
        for placed in self._placed.values():
            placed.host.drain()
        tasks = [placed.task for placed in self._placed.values()]
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    def _spare(self, deployable: str, but: str) -> bool:
        return any(
            placed.host.free
            for instance, placed in self._placed.items()
            if instance != but and placed.host.deployable == deployable
        )

    async def _live(self, host: Host, started_at: datetime) -> None:
        ended: Exit | None = None
        error: InstanceError | None = None
        try:
            prepared = await self._runtime.prepare(
                version_of(host.deployable),
                progress=lambda line: _log.info("preparing", extra={"step": line}),
            )
            ended = await host.run(prepared)
        except InstanceError as caught:
            error = caught
        except Exception as caught:  # noqa: BLE001 - a bug in one instance must not end the platform
            _log.exception("instance_failed", extra={"instance": host.id})
            error = InstanceError(f"The instance failed for a reason of ours: {type(caught).__name__}.")
        finally:
            self._placed.pop(host.id, None)
            self._tell(host, started_at, ended, error)

    def _tell(
        self, host: Host, started_at: datetime, ended: Exit | None, error: InstanceError | None
    ) -> None:
        _log.info(
            "instance_ended",
            extra={
                "instance": host.id,
                "version": host.deployable,
                "exit": str(ended) if ended else "",
                "reason": error.message if error else "",
            },
        )
        self.ended(
            Ended(
                instance=host.id,
                deployable=host.deployable,
                started_at=started_at,
                ended_at=self._now(),
                became_ready=host.was_ready,
                exit=ended,
                error=error,
                setup_logs=host.setup_logs,
            )
        )
        self.changed()
