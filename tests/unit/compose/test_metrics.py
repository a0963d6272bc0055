"""What is measured, without a platform."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cogyard.compose.metrics import MOST_MODELS, LogCounter, Metrics
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.values import Prediction, Status
from cogyard.features.webhooks.ports import CallFailedError
from cogyard.fleet.controller import Overview
from cogyard.fleet.local import Ended
from cogyard.instances.runtime import Exit
from cogyard.store.figures import Figures, SqlFigures

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Figures:
    async def read(self) -> Figures:
        return Figures()


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    """Give measures of nothing yet."""
    return Metrics(figures=cast("SqlFigures", _Figures()), folder=tmp_path, now=lambda: NOW)


def _prediction(model: str, *, wait: float = 1, run: float = 2) -> Prediction:
    started = NOW + timedelta(seconds=wait)
    return Prediction(
        id="p", model=model, version="v", account_id=1, status=Status.SUCCEEDED, input={},
        created_at=NOW, started_at=started, completed_at=started + timedelta(seconds=run),
    )  # fmt: skip


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_waiting_and_running_are_told_apart_and_a_clock_that_was_set_back_is_no_time(
    metrics: Metrics,
) -> None:
    """No measure is negative, whatever the clock did."""
    metrics.prediction_ended(_prediction("a/b"))
    metrics.prediction_ended(_prediction("a/b", wait=-50, run=-50))
    assert _value(metrics, "cogyard_prediction_wait_seconds_sum", model="a/b") == 1
    assert _value(metrics, "cogyard_prediction_run_seconds_sum", model="a/b") == 2
    assert _value(metrics, "cogyard_predictions_total", model="a/b", status="succeeded") == 2


def test_a_flood_of_models_does_not_grow_the_metrics_without_end(metrics: Metrics) -> None:
    """Beyond a number of models the rest are one."""
    for number in range(MOST_MODELS + 50):
        metrics.prediction_ended(_prediction(f"a/m{number}"))
    metrics.prediction_ended(_prediction("a/m0"))
    assert _value(metrics, "cogyard_predictions_total", model="other", status="succeeded") == 50
    assert _value(metrics, "cogyard_predictions_total", model="a/m0", status="succeeded") == 2


def _view(phase: Phase, since: float) -> InstanceView:
    return InstanceView(id="i", deployable="v", phase=phase, since=NOW + timedelta(seconds=since))


def test_a_start_is_measured_once_and_only_when_it_came_to_something(metrics: Metrics) -> None:
    """From the first look at which it was starting to when it was ready; one that died in between is no start."""
    for view in (
        _view(Phase.STARTING, 0),
        _view(Phase.STARTING, 0),
        _view(Phase.READY, 3),
        _view(Phase.READY, 3),
    ):
        metrics.observe(Overview(instances=(view,), waiting={}, troubles={}))
    assert _value(metrics, "cogyard_instance_start_seconds_count") == 1
    assert _value(metrics, "cogyard_instance_start_seconds_sum") == 3
    metrics.observe(Overview(instances=(_view(Phase.STARTING, 9),), waiting={}, troubles={}))
    metrics.instance_ended(
        Ended(
            instance="i", deployable="v", started_at=NOW, ended_at=NOW, became_ready=False, exit=Exit(code=-9)
        )
    )
    metrics.observe(Overview(instances=(_view(Phase.READY, 12),), waiting={}, troubles={}))
    assert _value(metrics, "cogyard_instance_start_seconds_count") == 1
    assert _value(metrics, "cogyard_instances_ended_total", how="died") == 1


class _Caller:
    def __init__(self, answer: int | None) -> None:
        self.answer = answer

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        if self.answer is None:
            raise CallFailedError("no")
        return self.answer


async def test_calls_of_webhooks_are_measured_whatever_comes_of_them(metrics: Metrics) -> None:
    """Delivered, refused and failed calls are told apart; errors pass through."""
    assert await metrics.measuring(_Caller(204)).post("u", b"", {}) == 204
    assert await metrics.measuring(_Caller(500)).post("u", b"", {}) == 500
    with pytest.raises(CallFailedError):
        await metrics.measuring(_Caller(None)).post("u", b"", {})
    for outcome in ("delivered", "refused", "failed"):
        assert _value(metrics, "cogyard_webhook_call_seconds_count", outcome=outcome) == 1


def test_errors_in_the_log_are_counted(metrics: Metrics) -> None:
    """One for each event, by level; levels of others' own are no matter."""
    counter = LogCounter(metrics)
    for level in (logging.INFO, logging.ERROR, logging.ERROR, 37):
        counter.handle(logging.LogRecord("x", level, "p", 1, "m", (), None))
    assert _value(metrics, "cogyard_log_events_total", level="error") == 2
    assert _value(metrics, "cogyard_log_events_total", level="info") == 1


async def test_what_is_read_is_what_prometheus_reads(metrics: Metrics) -> None:
    """Names and labels from strangers are escaped."""
    from prometheus_client.parser import text_string_to_metric_families

    metrics.prediction_ended(_prediction('a/"}\n\\'))
    content_type, text = await metrics.exposition()
    found: list[Any] = list(text_string_to_metric_families(text.decode()))
    assert content_type.startswith("text/plain")
    assert any(sample.labels.get("model") == 'a/"}\n\\' for family in found for sample in family.samples)


def test_every_metric_is_on_its_page(metrics: Metrics) -> None:
    """docs/reference/metrics.md names all there are."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "metrics.md").read_text("utf-8")
    for family in metrics.registry.collect():
        if family.name.startswith("cogyard_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            assert f"`{name}`" in page, name
