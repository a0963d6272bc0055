"""Spans of what is over, as a collector gets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cogyard.compose.settings import SettingsError
from cogyard.compose.tracing import Spans, Traced, make_spans
from cogyard.domain.values import Prediction, Status
from cogyard.web.measuring import Answered

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="OpenTelemetry is not installed")

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class _Kept:
    """Spans, and what was exported of them."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self._exporter = InMemorySpanExporter()
        provider = sdk.TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = Spans(provider)

    @property
    def all(self) -> dict[str, Any]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


def _answered(**fields: Any) -> Answered:
    return Answered(
        **{
            "part": "api",
            "operation": "predictions.create",
            "method": "POST",
            "status": 201,
            "seconds": 0.25,
            **fields,
        }
    )


def test_a_request_is_a_child_of_its_callers_span() -> None:
    """Named by its operation, as long as it took; a traceparent that makes no sense begins a trace."""
    kept = _Kept()
    begun = kept.spans.begin(PARENT)
    kept.spans.request(_answered(mark=begun))
    strange = kept.spans.begin("nonsense")
    kept.spans.request(_answered(operation="", part="pages", method="GET", status=500, mark=strange))
    kept.spans.request(_answered(operation="", part="metrics", mark=kept.spans.begin("")))
    assert set(kept.all) == {"predictions.create", "GET pages"}
    span = kept.all["predictions.create"]
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    assert begun.traceparent == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert span.end_time >= span.start_time
    assert dict(span.attributes)["http.response.status_code"] == 201
    assert kept.all["GET pages"].parent is None
    assert not kept.all["GET pages"].status.is_ok
    assert kept.all["predictions.create"].status.is_ok or kept.all["predictions.create"].status.is_unset


def test_a_prediction_is_its_wait_and_its_run_and_nothing_of_what_was_in_it() -> None:
    """Times are the prediction's own; texts of callers stay out; a clock that was set back makes no negative span."""
    kept = _Kept()
    kept.spans.prediction(
        Prediction(
            id="p1", model="ada/x", version="v", account_id=1, status=Status.FAILED, input={"text": "s3cret"},
            error="s3cret", created_at=NOW, started_at=NOW + timedelta(seconds=2),
            completed_at=NOW + timedelta(seconds=5),
        )
    )  # fmt: skip
    whole, wait, run = (kept.all[name] for name in ("prediction", "wait", "run"))
    assert wait.parent.span_id == run.parent.span_id == whole.context.span_id
    assert [one.end_time - one.start_time for one in (whole, wait, run)] == [5 * 10**9, 2 * 10**9, 3 * 10**9]
    assert dict(whole.attributes)["cog.prediction.id"] == "p1"
    assert not whole.status.is_ok
    assert "s3cret" not in whole.to_json()
    again = _Kept()
    again.spans.prediction(
        Prediction(
            id="p2", model="ada/x", version="v", account_id=1, status=Status.CANCELED, input={},
            created_at=NOW, completed_at=NOW - timedelta(hours=1),
        )
    )  # fmt: skip
    assert set(again.all) == {"prediction", "wait"}
    assert all(one.end_time >= one.start_time for one in again.all.values())


def test_a_prediction_is_below_the_request_that_asked_for_it() -> None:
    """Whenever it ends; with no request it begins a trace of its own."""
    kept = _Kept()
    begun = kept.spans.begin(PARENT)
    kept.spans.request(_answered(mark=begun))
    asked = Prediction(
        id="p", model="ada/x", version="v", account_id=1, status=Status.SUCCEEDED, input={}, created_at=NOW,
        completed_at=NOW, trace=f"{begun.traceparent} vendor=1",
    )  # fmt: skip
    kept.spans.prediction(asked)
    assert kept.all["prediction"].parent.span_id == kept.all["predictions.create"].context.span_id
    assert f"{kept.all['prediction'].context.trace_id:032x}" == PARENT.split("-")[1]
    again = _Kept()
    again.spans.prediction(msgspec.structs.replace(asked, trace=""))
    assert again.all["prediction"].parent is None


class _Meter:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def begun(self, traceparent: str) -> None:
        self.seen.append(traceparent)

    def answered(self, answered: Answered) -> None:
        self.seen.append(answered)

    async def exposition(self) -> tuple[str, bytes]:
        return "text/plain", b"x"


async def test_what_is_traced_is_still_measured() -> None:
    """Both hear of each request."""
    kept, meter = _Kept(), _Meter()
    traced = Traced(meter, kept.spans)
    mark = traced.begun(PARENT)
    traced.answered(_answered(mark=mark))
    assert meter.seen == [PARENT, _answered(mark=mark)]
    assert set(kept.all) == {"predictions.create"}
    assert await traced.exposition() == ("text/plain", b"x")


def test_what_otel_variables_say_is_done_or_refused() -> None:
    """Nothing wanted is nothing sent; an exporter that is not there stops the start with a message."""
    assert make_spans({"OTEL_TRACES_EXPORTER": "none"}) is None
    with pytest.raises(SettingsError, match="zipkin"):
        make_spans({"OTEL_TRACES_EXPORTER": "zipkin"})
