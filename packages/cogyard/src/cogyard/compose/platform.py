"""The whole platform in one process: opened over a folder, served, drained, closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from starlette.types import ASGIApp

from cogyard.compose.background import Background, every
from cogyard.compose.collecting import EVERY, ImageCollection
from cogyard.compose.datadir import DataDir
from cogyard.compose.given import GivenImages
from cogyard.compose.instances import Ground, make_fleet, make_given
from cogyard.compose.metrics import LogCounter, Metrics
from cogyard.compose.parts import (
    Kept,
    controller_options,
    make_application,
    make_metrics,
    make_scales,
    make_sweep,
    make_work,
    secret_of,
)
from cogyard.compose.prefetching import Prefetch
from cogyard.compose.runtimes import Choice
from cogyard.compose.services import make_caller, make_services
from cogyard.compose.settings import Settings
from cogyard.compose.skus import HardwareNeeds
from cogyard.compose.status import StatusFile
from cogyard.compose.tracing import Spans, Traced, make_spans
from cogyard.compose.unpacked import Unpacked, removed
from cogyard.compose.wishes import WishedHardware
from cogyard.domain.rates import MINUTE
from cogyard.domain.retry import Recovery
from cogyard.features.predictions.queue import PRUNE_SECONDS
from cogyard.features.retention.sweep import Sweep
from cogyard.features.services import Services
from cogyard.features.steady import Steady
from cogyard.features.webhooks.calling import HttpCaller
from cogyard.fleet.controller import Controller, Overview
from cogyard.fleet.history import History
from cogyard.fleet.local import Ended, LocalFleet
from cogyard.fleet.reasons import Lookout
from cogyard.http.rates import Rates
from cogyard.instances.waiting import end

T = TypeVar("T")

_log = logging.getLogger("cogyard.platform")

_SWEEP = 60.0
_AUDIT_PRUNE = 3600.0
_ALLOCATE = 3600.0


class Platform:
    """An open platform. Make it with `open`; then `begin`, serve `app`, `drain`, `close`."""

    def __init__(
        self,
        *,
        kept: Kept,
        caller: HttpCaller,
        services: Services,
        app: ASGIApp,
        rates: Rates,
        fleet: LocalFleet,
        controller: Controller,
        status: StatusFile,
        counter: LogCounter,
        spans: Spans | None,
        sweep: Sweep,
        runtime: Choice,
        prefetch: Prefetch,
        collect: ImageCollection,
        unpacked: Unpacked,
        given: GivenImages | None,
    ) -> None:
        self.app = app
        self.services = services
        #: What instances run in, and why not in another.
        self.runtime = runtime
        self._rates = rates
        self._prefetch = prefetch
        self._kept = kept
        self._caller = caller
        self._fleet = fleet
        self._controller = controller
        self._status = status
        self._counter = counter
        self._spans = spans
        self._sweep = sweep
        self._collect = collect
        self._unpacked = unpacked
        self._given = given
        self._removing: asyncio.Task[None] | None = None
        self._background = Background()

    @classmethod
    def open(cls, settings: Settings, folder: DataDir, *, base: str) -> Platform:
        """Build everything over a held folder; `base` is where model servers reach the platform. Blocks a moment."""
        kept = Kept.open(folder)
        try:
            return cls._over(kept, settings, folder, base)
        except BaseException:
            kept.close()
            raise

    @classmethod
    def _over(cls, kept: Kept, settings: Settings, folder: DataDir, base: str) -> Platform:
        metrics, caller = make_metrics(kept, folder), make_caller(settings)
        spans = make_spans() if settings.traces else None
        lookout, history = Lookout(settings.max_instances), History(folder.history)
        services = make_services(
            kept,
            settings,
            metrics.measuring(caller),
            ended=_telling(metrics.prediction_ended, *([spans.prediction] if spans else [])),
            lookout=lookout,
            history=history,
            folder=folder,
        )
        prefetch, rates = Prefetch(), Rates(creates=settings.rate_creates, others=settings.rate_requests)
        meter = Traced(metrics, spans) if spans else metrics
        app = make_application(
            kept, services, settings, secret_of(folder), meter, rates=rates, prefetch=prefetch.ask
        )
        ground = Ground(
            kept=kept, services=services, settings=settings, folder=folder, base=base, application=app
        )
        fleet, choice = make_fleet(ground)
        status = StatusFile(folder.status_file, settings.max_instances)
        observe = _telling(status.observe, metrics.observe, lookout.observe, partial(_roll, services))
        metrics.views, lookout.fleet = fleet.views, fleet
        services.deployments.rollouts.views = fleet.views
        return cls(
            kept=kept,
            caller=caller,
            services=services,
            app=app,
            rates=rates,
            fleet=fleet,
            controller=_controller(ground, fleet, observe, partial(_record, history, metrics)),
            status=status,
            counter=LogCounter(metrics),
            spans=spans,
            sweep=make_sweep(kept, settings),
            runtime=choice,
            prefetch=prefetch,
            unpacked=_unpacked(ground, fleet),
            given=make_given(ground, fleet, choice),
            collect=ImageCollection(kept=kept, grace=timedelta(seconds=settings.keep_unused_layers)),
        )

    @property
    def running(self) -> int:
        """How many predictions run now."""
        return sum(view.busy for view in self._fleet.views())

    async def begin(self) -> Recovery:
        """Take up what an earlier platform left, start the loops; return what became of interrupted predictions."""
        logging.getLogger().addHandler(self._counter)
        queue = self.services.predictions.queue
        await self.services.endpoints.load()
        await self.services.limits.begin()
        minute_ago = self.services.predictions.world.now() - timedelta(seconds=MINUTE)
        self._rates.remember(await queue.store.asked_since(minute_ago))
        await self.services.deployments.resume()
        recovered = await queue.recover()
        self._removing = asyncio.create_task(removed(await self._unpacked.put_aside() or []))
        await self.services.files.sweep()
        # What removes for good does so only while the clock goes as time does.
        steady = Steady(self.services.predictions.world).behind
        self._background.begin("log", partial(every, _ALLOCATE, self._kept.database.allocate_log))
        self._background.begin("queue", queue.run)
        self._background.begin("queue log", partial(every, PRUNE_SECONDS, steady(queue.prune)))
        if self.services.webhooks is not None:
            self._background.begin("webhooks", self.services.webhooks.run)
            self._background.begin(
                "webhook log", partial(every, _SWEEP, steady(self.services.webhooks.prune))
            )
        self._background.begin("files", partial(every, _SWEEP, steady(self.services.files.sweep)))
        self._background.begin("removals", self.services.removals.run)
        self._background.begin("rollouts", self.services.deployments.settle)
        self._background.begin("limits", partial(every, _SWEEP, self.services.limits.load))
        self._background.begin("usage", partial(every, _SWEEP, self.services.usage.keep))
        self._background.begin("retention", partial(every, _SWEEP, steady(self._sweep.sweep)))
        if self.services.audit is not None:
            self._background.begin("audit", partial(every, _AUDIT_PRUNE, steady(self.services.audit.prune)))
        self._background.begin("images", partial(every, EVERY, steady(self._collect_all)))
        self._background.begin("status", self._status.run)
        self._background.begin("prefetch", partial(self._prefetch.run, self.runtime.runtime))
        self._background.begin("controller", self._controller.run)
        return recovered

    async def _collect_all(self) -> None:
        await self._collect()
        # What it took out of the repositories is wanted by nobody any more.
        await self._unpacked.sweep()
        if self._given is not None:
            await self._given.sweep()

    async def drain(self, *, grace: float) -> None:
        """Start no more instances, let what runs finish for `grace` seconds, end the rest."""
        await self._background.stop("controller", "prefetch")
        interrupted = await self._fleet.stop(grace=grace)
        if interrupted:
            _log.warning("instances_interrupted", extra={"instances": interrupted})

    async def close(self) -> None:
        """Write what is not written yet and close everything."""
        await self._fleet.stop(grace=0)
        await self._background.stop()
        if self._removing is not None:
            await end(self._removing)
        await self.services.predictions.queue.flush()
        await self.services.usage.keep()
        await self._caller.close()
        await asyncio.to_thread(self._kept.close)
        logging.getLogger().removeHandler(self._counter)
        if self._spans is not None:
            await asyncio.to_thread(self._spans.close)


def _controller(
    ground: Ground,
    fleet: LocalFleet,
    observe: Callable[[Overview], None],
    record: Callable[[Ended], None],
) -> Controller:
    services, settings = ground.services, ground.settings
    return Controller(
        fleet,
        services.predictions.queue,
        make_work(ground.kept, services, ground.folder, quota=settings.registry_quota),
        controller_options(settings),
        scales=make_scales(services, settings),
        needs=HardwareNeeds(settings.hardware, WishedHardware(services)),
        observe=observe,
        record=record,
    )


def _unpacked(ground: Ground, fleet: LocalFleet) -> Unpacked:
    return Unpacked(
        folder=ground.folder,
        repositories=ground.kept.repositories,
        versions=ground.services.versions.store,
        weights=ground.images,
        quiet=ground.quiet,
        running=fleet.deployables,
    )


def _telling(*observers: Callable[[T], None]) -> Callable[[T], None]:
    def observe(news: T) -> None:
        for each in observers:
            each(news)

    return observe


def _roll(services: Services, overview: Overview) -> None:
    """Let deployments know that something has happened to instances."""
    services.deployments.rollouts.observe(tuple(overview.troubles))
    services.usage.observe(overview.instances)


def _record(history: History, metrics: Metrics, ended: Ended) -> None:
    """Keep how an instance ended, without holding up the loop."""
    metrics.instance_ended(ended)
    asyncio.get_running_loop().run_in_executor(None, history.add, ended)
