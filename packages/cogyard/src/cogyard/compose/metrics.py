"""The operator's metrics, in Prometheus' form. All of prometheus_client is here.

What happens is counted where it happens; what *is* (queues, instances, disk) is looked up when somebody reads. Labels
are words of which there are few; models are told apart up to `MOST_MODELS`, the rest are one.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cogyard.compose.accounted import Counted, counted
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.values import Prediction
from cogyard.features.webhooks.ports import Caller
from cogyard.fleet.controller import Overview
from cogyard.fleet.local import Ended
from cogyard.store.figures import Figures, SqlFigures
from cogyard.web.measuring import Answered, Mark

MOST_MODELS = 500
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LONG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What was looked up for one reading."""

    now: datetime
    figures: Figures = field(default_factory=Figures)
    instances: tuple[InstanceView, ...] = ()
    troubles: Mapping[str, int] = field(default_factory=dict)
    hardware: tuple[Counted, ...] = ()
    disk_free: int = 0
    disk_size: int = 0


class Metrics:
    """Measures of one platform; structurally the web room's Meter."""

    def __init__(
        self,
        *,
        figures: SqlFigures,
        folder: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.registry = CollectorRegistry()
        self._figures = figures
        self._folder = folder
        self._now = now
        #: Returns the instances that live; set once there is a fleet.
        self.views: Callable[[], Iterable[InstanceView]] = tuple
        self._overview: Overview | None = None
        self._starting: dict[str, datetime] = {}
        self._models: set[str] = set()
        self._looked = Looked(now=now())
        ProcessCollector(registry=self.registry)
        self.registry.register(_Looked(lambda: self._looked))
        labels = ("part", "operation", "method")
        self._requests = self._times(
            "cogyard_http_request_seconds",
            "Time to the end of an answer; of a stream, to its end.",
            (*labels, "status"),
            buckets=_QUICK,
        )
        # One of a metric's children is found by its labels in Python, one of a cache's in C.
        self._request = cache(self._requests.labels)
        self._open = Gauge("cogyard_http_requests_open", "Requests under way.", registry=self.registry)
        self._ended = self._count("cogyard_predictions", "Predictions that ended.", "model", "status")
        self._ended_of = cache(self._ended.labels)
        self._waited = self._times(
            "cogyard_prediction_wait_seconds", "Time from creation to the start of the run.", ("model",)
        )
        self._waited_of = cache(self._waited.labels)
        self._ran = self._times(
            "cogyard_prediction_run_seconds", "Time from the start of the run to its end.", ("model",)
        )
        self._ran_of = cache(self._ran.labels)
        self._starts = self._times(
            "cogyard_instance_start_seconds",
            "Time from the decision to start an instance until it was ready.",
        )
        self._ends = self._count("cogyard_instances_ended", "Instances that ended.", "how")
        self._calls = self._times(
            "cogyard_webhook_call_seconds", "Calls of webhooks.", ("outcome",), buckets=_QUICK
        )
        self.logged = self._count("cogyard_log_events", "What was logged at a level.", "level")

    def _times(
        self, name: str, what: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = _LONG
    ) -> Histogram:
        return Histogram(name, what, labels, buckets=buckets, registry=self.registry)

    def _count(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def begun(self, traceparent: str) -> Mark | None:  # noqa: ARG002 - nothing is followed here
        """Note that a request has come."""
        self._open.inc()
        return None

    def answered(self, answered: Answered) -> None:
        """Note that a request was answered."""
        self._open.dec()
        labels = (answered.part, answered.operation, answered.method, f"{answered.status // 100}xx")
        self._request(*labels).observe(answered.seconds)

    def prediction_ended(self, prediction: Prediction) -> None:
        """Note that a prediction ended."""
        model = self._called(prediction.model)
        self._ended_of(model, prediction.status.value).inc()
        if prediction.started_at is not None:
            self._waited_of(model).observe(_between(prediction.created_at, prediction.started_at))
            if prediction.completed_at is not None:
                self._ran_of(model).observe(_between(prediction.started_at, prediction.completed_at))

    def observe(self, overview: Overview) -> None:
        """Take the controller's newest look: how long starts took is seen in it."""
        self._overview = overview
        self._note_starts(overview.instances)

    def _note_starts(self, views: Iterable[InstanceView]) -> None:
        for view in views:
            if view.phase is Phase.STARTING:
                self._starting.setdefault(view.id, view.since)
            elif (began := self._starting.pop(view.id, None)) is not None and view.phase is Phase.READY:
                self._starts.observe(_between(began, view.since))

    def instance_ended(self, ended: Ended) -> None:
        """Note how an instance ended."""
        self._starting.pop(ended.instance, None)
        how = "drained"
        if ended.error is not None:
            how = "not_started"
        elif ended.exit is not None:
            how = "died"
        self._ends.labels(how).inc()

    def measuring(self, caller: Caller) -> MeasuredCaller:
        """Return a caller of webhooks that is measured."""
        return MeasuredCaller(caller, self.webhook_called, time.monotonic)

    def webhook_called(self, outcome: str, seconds: float) -> None:
        """Note a call: `delivered`, `refused` by the other side, or `failed` to reach it."""
        self._calls.labels(outcome).observe(seconds)

    async def exposition(self) -> tuple[str, bytes]:
        """Look everything up and return (content type, text)."""
        disk = shutil.disk_usage(self._folder)
        overview, views = self._overview, tuple(self.views())
        # What became ready since the controller looked is in the gauges, so it is among the starts, too.
        self._note_starts(views)
        self._looked = Looked(
            now=self._now(),
            figures=await self._figures.read(),
            instances=views,
            troubles={name: one.failures for name, one in overview.troubles.items()} if overview else {},
            hardware=counted(overview.capacity, views) if overview else (),
            disk_free=disk.free,
            disk_size=disk.total,
        )
        return CONTENT_TYPE, generate_latest(self.registry)

    def _called(self, model: str) -> str:
        if model not in self._models and len(self._models) >= MOST_MODELS:
            return "other"
        self._models.add(model)
        return model


class _Looked(Collector):
    """What was looked up last, as metrics."""

    def __init__(self, looked: Callable[[], Looked]) -> None:
        self._of = looked

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        looked = self._of()
        yield from _queues(looked)
        yield from _instances(looked)
        yield from _hardware(looked)
        figures = looked.figures
        for name, meaning, value in (
            ("cogyard_webhooks_waiting", "Webhook events not told yet.", figures.webhooks_waiting),
            (
                "cogyard_webhooks_oldest_seconds",
                "Age of the oldest webhook event not told yet.",
                _age(figures.webhooks_oldest, looked.now),
            ),
            ("cogyard_database_bytes", "Size of the database.", figures.database_bytes),
            ("cogyard_disk_free_bytes", "Free on the disk of the data folder.", looked.disk_free),
            ("cogyard_disk_size_bytes", "Size of the disk of the data folder.", looked.disk_size),
        ):
            yield GaugeMetricFamily(name, meaning, value=value)


def _queues(looked: Looked) -> Iterator[Metric]:
    labels = ("deployable", "model")
    waiting = GaugeMetricFamily("cogyard_queue_waiting", "Predictions that wait.", labels=labels)
    leased = GaugeMetricFamily("cogyard_queue_leased", "Predictions that an instance holds.", labels=labels)
    oldest = GaugeMetricFamily(
        "cogyard_queue_oldest_seconds", "How long the first in the queue has waited.", labels=labels
    )
    for deployable, one in looked.figures.queues.items():
        called = (deployable, one.model)
        waiting.add_metric(called, one.waiting)
        leased.add_metric(called, one.leased)
        oldest.add_metric(called, _age(one.oldest, looked.now))
    yield from (waiting, leased, oldest)


def _instances(looked: Looked) -> Iterator[Metric]:
    labels = ("deployable", "instance")
    phases = GaugeMetricFamily("cogyard_instance", "1 for the phase it is in.", labels=(*labels, "phase"))
    slots = GaugeMetricFamily("cogyard_instance_slots", "Predictions it may run at once.", labels=labels)
    busy = GaugeMetricFamily("cogyard_instance_busy", "Predictions it runs.", labels=labels)
    troubles = GaugeMetricFamily(
        "cogyard_start_failures", "Failed starts in a row, where there are any.", labels=labels[:1]
    )
    for view in looked.instances:
        called = (view.deployable, view.id)
        phases.add_metric((*called, view.phase.value), 1)
        slots.add_metric(called, view.slots)
        busy.add_metric(called, view.busy)
    for deployable, failures in looked.troubles.items():
        troubles.add_metric((deployable,), failures)
    yield from (phases, slots, busy, troubles)


def _hardware(looked: Looked) -> Iterator[Metric]:
    labels = ("resource", "kind")
    held = GaugeMetricFamily("cogyard_hardware_held", "What instances hold of the machine.", labels=labels)
    whole = GaugeMetricFamily("cogyard_hardware", "What the machine has for instances.", labels=labels)
    for one in looked.hardware:
        held.add_metric((one.resource, one.kind), one.held)
        whole.add_metric((one.resource, one.kind), one.whole)
    yield from (held, whole)


class LogCounter(logging.Handler):
    """Counts what is logged, by level: errors that nobody reads should at least ring."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.INFO)
        self._counts = {
            level: metrics.logged.labels(level.lower()) for level in ("INFO", "WARNING", "ERROR", "CRITICAL")
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Count one event."""
        if (count := self._counts.get(record.levelname)) is not None:
            count.inc()


@dataclass(frozen=True, slots=True)
class MeasuredCaller:
    """Calls webhooks by another Caller, and measures it."""

    caller: Caller
    note: Callable[[str, float], None]
    elapsed: Callable[[], float]

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Call and return the status. Raises CallFailedError."""
        begun, outcome = self.elapsed(), "failed"
        try:
            status = await self.caller.post(url, body, headers)
            outcome = "delivered" if 200 <= status < 300 else "refused"
        finally:
            self.note(outcome, self.elapsed() - begun)
        return status


def _between(first: datetime, then: datetime) -> float:
    # A clock that was set back must not make a negative time.
    return max(0.0, (then - first).total_seconds())


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else _between(moment, now)
