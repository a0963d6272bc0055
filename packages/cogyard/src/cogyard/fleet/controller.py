"""The loop that keeps the right instances alive: look, decide (by a pure policy), act, sleep until it matters.

It wakes for new work, for any change of an instance, and for the one moment when time alone changes the decision:
an idle platform does nothing at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from cogyard.domain.autoscale import (
    Demand,
    Drain,
    InstanceView,
    Limits,
    Phase,
    Scale,
    Start,
    decide,
    loaded,
    next_change,
)
from cogyard.domain.capacity import NOTHING, Resources
from cogyard.domain.deployments import RETIRED, scale_of
from cogyard.domain.peaks import Peak
from cogyard.fleet.local import Ended
from cogyard.fleet.trouble import Fault, Trouble, after_failure, explain
from cogyard.instances.errors import ImageRefusedError, SetupFailedError, SetupKilledError
from cogyard.instances.host import utc_now
from cogyard.instances.refusal import fail_waiting
from cogyard.instances.run import Work
from cogyard.instances.tail import last_lines
from cogyard.instances.waiting import end, first
from cogyard.instances.work import Backlog

_log = logging.getLogger("cogyard.fleet")

#: The longest sleep: a lost wake-up costs no more than this.
_LONGEST = 30.0


class Fleet(Protocol):
    """What the controller moves."""

    ended: Callable[[Ended], None]
    changed: Callable[[], None]

    def views(self) -> list[InstanceView]:
        """Return every instance that lives."""
        ...

    def start(self, deployable: str, needs: Resources = NOTHING) -> str:
        """Begin one more instance, with so much of the machine, and return its id."""
        ...

    def drain(self, instance: str) -> None:
        """Let an instance finish what it runs and end."""
        ...


class Scales(Protocol):
    """What scales in a way of its own."""

    async def scales(self) -> Mapping[str, Scale]:
        """Return how deployments' instances grow and shrink, by deployable."""
        ...


class Needs(Protocol):
    """What instances hold of the machine."""

    async def needs(self, deployables: Iterable[str]) -> Mapping[str, Resources]:
        """Return what one instance of each needs; one that is left out needs nothing that is counted."""
        ...


class NoNeeds:
    """For a machine where nothing is counted but instances."""

    async def needs(self, deployables: Iterable[str]) -> Mapping[str, Resources]:  # noqa: ARG002 - of none
        """Return nothing."""
        return {}


class NoScales:
    """For a platform without deployments."""

    async def scales(self) -> Mapping[str, Scale]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerOptions:
    """What this machine holds, and how versions scale unless something says otherwise."""

    limits: Limits
    scale: Scale = field(default_factory=Scale)
    #: How what trains a version does.
    training: Scale = RETIRED
    #: Looks are at least this far apart, in seconds, however much happens.
    rest: float = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """What `cogyard status` shows of the fleet."""

    instances: tuple[InstanceView, ...]
    waiting: Mapping[str, int]
    troubles: Mapping[str, Trouble]
    #: What the machine has to give out, where it is counted.
    capacity: Resources | None = None


class Controller:
    """One for the whole platform."""

    def __init__(
        self,
        fleet: Fleet,
        backlog: Backlog,
        work: Work,
        options: ControllerOptions,
        *,
        scales: Scales | None = None,
        needs: Needs | None = None,
        now: Callable[[], datetime] = utc_now,
        observe: Callable[[Overview], None] = lambda _overview: None,
        record: Callable[[Ended], None] = lambda _ended: None,
    ) -> None:
        self._fleet = fleet
        self._backlog = backlog
        self._work = work
        self._options = options
        self._scales = scales or NoScales()
        self._needs = needs or NoNeeds()
        self._now = now
        self._observe = observe
        self._record = record
        self._changed = asyncio.Event()
        self._since: dict[str, datetime] = {}
        self._troubles: dict[str, Trouble] = {}
        self._peaks: dict[str, Peak] = {}
        fleet.ended = self._on_ended
        fleet.changed = self._changed.set

    async def run(self) -> None:
        """Control until cancelled."""
        news: asyncio.Task[None] | None = None
        changed: asyncio.Task[bool] | None = None
        try:
            while True:
                # Listening begins before looking, so that nothing falls between the two.
                if news is None or news.done():
                    news = asyncio.create_task(self._backlog.wait_for_any(timeout=_LONGEST))
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.sleep(0)
                pause = await self._look_safely()
                await first(news, changed, timeout=pause)
                await end(changed)
                await asyncio.sleep(self._options.rest)
        finally:
            await end(*[task for task in (news, changed) if task is not None])

    async def look(self) -> float:
        """Decide once and act; return the seconds until time alone may change the decision."""
        now = self._now()
        waiting = await self._backlog.waiting()
        waiting = {name: left for name, count in waiting.items() if (left := await self._refuse(name, count))}
        own = await self._scales.scales()
        views = self._fleet.views()
        demands = await self._with_needs(self._demands(waiting, views, own, now))
        for action in decide(demands, views, self._options.limits, now):
            match action:
                case Start():
                    self._fleet.start(action.deployable, action.needs)
                case Drain():
                    _log.info("instance_draining", extra={"instance": action.instance, "why": action.reason})
                    self._fleet.drain(action.instance)
        views = self._fleet.views()
        self._observe(
            Overview(
                instances=tuple(views),
                waiting=waiting,
                troubles=self._present(views),
                capacity=self._options.limits.capacity,
            )
        )
        moment = next_change(demands, views, self._options.limits, now)
        return _LONGEST if moment is None else min(max((moment - now).total_seconds(), 0.0), _LONGEST)

    async def _look_safely(self) -> float:
        try:
            return await self.look()
        except Exception:  # noqa: BLE001 - the store may be busy or full; the controller must outlive that
            _log.exception("controller_failed")
            return 1.0

    async def _refuse(self, deployable: str, count: int) -> int:
        """Fail what waits for a version that can't be had; return how many still wait."""
        trouble = self._troubles.get(deployable)
        if trouble is None or not trouble.give_up:
            return count
        if trouble.stopped and self._now() >= trouble.not_before:
            self._troubles.pop(deployable)
            return count
        if not trouble.stopped:
            # Those that waited when it failed are told, once; later ones get a start of their own.
            self._troubles[deployable] = replace(trouble, give_up=False)
        failed = await fail_waiting(
            self._work, deployable, count=count, error=explain(trouble), logs=trouble.logs
        )
        return max(0, count - failed)

    def _demands(
        self,
        waiting: Mapping[str, int],
        views: list[InstanceView],
        own: Mapping[str, Scale],
        now: datetime,
    ) -> dict[str, Demand]:
        served = {view.deployable for view in views if view.phase is not Phase.DRAINING}
        self._since = {name: self._since.get(name, now) for name in waiting if name not in served}
        kept = {name for name, scale in own.items() if scale.min_instances}
        names = {*waiting, *(view.deployable for view in views), *kept}
        scales = {name: scale_of(name, own, self._options.scale, self._options.training) for name in names}
        self._peaks = {
            name: self._peaks.get(name, Peak()).with_(
                loaded(waiting.get(name, 0), [view for view in views if view.deployable == name]),
                now,
                scale.idle_timeout,
            )
            for name, scale in scales.items()
        }
        return {
            name: Demand(
                waiting=waiting.get(name, 0),
                waiting_since=self._since.get(name),
                not_before=self._not_before(name, asked=name in waiting),
                scale=scale,
                peak=self._peaks[name].most,
            )
            for name, scale in scales.items()
        }

    async def _with_needs(self, demands: Mapping[str, Demand]) -> dict[str, Demand]:
        needs = await self._needs.needs(demands)
        return {name: replace(demand, needs=needs.get(name, NOTHING)) for name, demand in demands.items()}

    def _present(self, views: list[InstanceView]) -> dict[str, Trouble]:
        """Return the troubles of versions that have no ready instance: of the others they are past."""
        ready = {view.deployable for view in views if view.phase is Phase.READY}
        return {name: trouble for name, trouble in self._troubles.items() if name not in ready}

    def _not_before(self, deployable: str, *, asked: bool) -> datetime | None:
        trouble = self._troubles.get(deployable)
        if trouble is None:
            return None
        return trouble.not_before if asked else trouble.unasked_before

    def _on_ended(self, ended: Ended) -> None:
        self._record(ended)
        if ended.became_ready and (
            ended.exit is None or ended.ended_at - ended.started_at > timedelta(minutes=1)
        ):
            self._troubles.pop(ended.deployable, None)
        if ended.error is None and ended.exit is None:
            return
        self._troubles[ended.deployable] = after_failure(
            self._troubles.get(ended.deployable),
            _fault(ended),
            reason=_reason(ended),
            logs=ended.setup_logs,
            now=self._now(),
        )


def _fault(ended: Ended) -> Fault:
    if isinstance(ended.error, SetupFailedError | ImageRefusedError) and not isinstance(
        ended.error, SetupKilledError
    ):
        return Fault.MODEL
    return Fault.MACHINE if ended.error is not None else Fault.CRASH


def _reason(ended: Ended) -> str:
    if ended.error is None:
        return f"The instance {ended.exit}."
    hint = f" {ended.error.hint}" if ended.error.hint else ""
    last = last_lines(ended.setup_logs, 500)
    return f"{ended.error.message}{hint}" + (f"\nThe end of its setup log:\n{last}" if last else "")
