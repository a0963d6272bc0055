"""Request ids and traces, on the real server, the real worker and a real receiver."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.model_server.live import Peer, peer, serving

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SEEN = "import cog\ndef predict() -> str:\n    return str(dict(cog.current_scope().trace))\n"


def test_a_trace_goes_on_to_webhooks_and_to_the_model(tmp_path: Path) -> None:
    """What the request brings is what both get; a request without a trace brings none."""
    (tmp_path / "predict.py").write_text(SEEN)
    headers = {"traceparent": PARENT, "tracestate": "vendor=1", "x-request-id": "r-1"}
    with peer() as hook, serving(tmp_path, "predict.py:predict") as server:
        for async_ in ({}, {"prefer": "respond-async"}):
            hook.received.clear()
            answer = server.post(
                {}, headers={**headers, **async_}, id=f"p{len(async_)}", webhook=hook.url("/h")
            )
            assert answer.headers["x-request-id"] == "r-1"
            server.until(
                lambda: [json.loads(one.body)["status"] for one in hook.received], lambda s: "succeeded" in s
            )
            for one in hook.received:
                assert {name: one.headers[name] for name in headers} == headers
            output = json.loads(hook.received[-1].body)["output"]
            assert output == str({"traceparent": PARENT, "tracestate": "vendor=1"})
        hook.received.clear()
        assert (
            server.result({}, webhook=hook.url("/h"), webhook_events_filter=["completed"])["output"] == "{}"
        )
        server.until(lambda: len(hook.received), lambda count: count == 1)
        assert not {"traceparent", "tracestate", "x-request-id"} & set(hook.received[0].headers)


def test_every_answer_has_a_request_id(project: Path) -> None:
    """The request's own where it is a plain word, else a new one; on every kind of answer."""
    with serving(project, "predict.py:Plain") as server:
        client = server.client
        for method, path, body in [
            ("POST", "/predictions", {"input": {"mode": "echo"}}),
            ("POST", "/predictions", {"input": {"nonsense": 1}}),
            ("PUT", "/predictions/x", {"input": {"mode": "echo"}}),
            ("GET", "/predictions/x", None),
            ("GET", "/health-check", None),
            ("GET", "/nowhere", None),
        ]:
            for accept in ("application/json", "text/event-stream"):
                given = client.request(
                    method, path, json=body, headers={"x-request-id": "mine", "accept": accept}
                )
                assert given.headers["x-request-id"] == "mine", (method, path, accept)
                for hostile in ("a b", "x" * 129, '"', "<script>"):
                    made = client.request(method, path, json=body, headers={"x-request-id": hostile})
                    assert made.headers["x-request-id"] != hostile
                    assert made.headers["x-request-id"].isalnum()


def test_spans_of_the_author_join_the_trace(tmp_path: Path) -> None:
    """An author who uses OpenTelemetry finds the prediction's trace as the current one, and only during it."""
    (tmp_path / "predict.py").write_text(
        "from opentelemetry import trace\n"
        "def now():\n    return format(trace.get_current_span().get_span_context().trace_id, 'x')\n"
        "def predict() -> str:\n    return now()\n"
        "class Later:\n    async def predict(self) -> str:\n        return now()\n"
    )
    for ref in ("predict.py:predict", "predict.py:Later"):
        with serving(tmp_path, ref) as server:
            inside = server.post({}, headers={"traceparent": PARENT}).json()
            assert inside["output"] == "af7651916cd43dd8448eb211c80319c", inside
            assert server.result({})["output"] == "0"


def test_the_pause_between_webhooks_can_be_set(tmp_path: Path) -> None:
    """COG_THROTTLE_RESPONSE_INTERVAL says how far apart the webhooks of outputs are."""
    (tmp_path / "predict.py").write_text(
        "import time\nfrom typing import Iterator\ndef predict() -> Iterator[str]:\n"
        "    for _ in range(20):\n        time.sleep(0.06)\n        yield 'x'\n"
    )
    counts = {}
    for interval in ("0", "5"):
        env = {"COG_THROTTLE_RESPONSE_INTERVAL": interval}
        with peer() as hook, serving(tmp_path, "predict.py:predict", env=env) as server:
            for _ in range(2):  # the first one loads what webhooks need
                hook.received.clear()
                server.result({}, webhook=hook.url("/h"), webhook_events_filter=["output", "completed"])
                server.until(
                    lambda: [json.loads(one.body)["status"] for one in hook.received],
                    lambda s: "succeeded" in s,
                )
            counts[interval] = len(hook.received)
    assert counts["0"] > 3 > counts["5"]


@contextmanager
def collector() -> Iterator[tuple[Peer, dict[str, str]]]:
    """Run what takes spans over OTLP/HTTP; yield it, and the variables that name it."""
    with peer() as found:
        found.answer = lambda _: (200, {"Content-Type": "application/x-protobuf"}, b"")
        yield (
            found,
            {
                "COG_TRACE_ENABLED": "1",
                "OTEL_EXPORTER_OTLP_ENDPOINT": found.url(""),
                "OTEL_EXPORTER_OTLP_HEADERS": "x-team=models",
                "OTEL_SERVICE_NAME": "painter",
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            },
        )


def spans(found: Peer) -> dict[str, Any]:
    """Decode what a collector got: spans by name."""
    taken = {}
    for one in found.received:
        body = gzip.decompress(one.body) if one.headers.get("content-encoding") == "gzip" else one.body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in group.scope_spans:
                taken.update({span.name: span for span in scope.spans})
    return taken


def test_spans_reach_a_collector(project: Path) -> None:
    """Asked for, each prediction is a span in the caller's trace, with its wait and its run in it; text stays out."""
    with collector() as (found, env), serving(project, "predict.py:Plain", env=env) as server:
        headers = {"traceparent": PARENT, "x-request-id": "r-7"}
        server.post({"mode": "echo", "value": "private"}, headers=headers, id="p1")
        taken = server.until(lambda: spans(found), lambda got: {"prediction", "wait", "run"} <= set(got))
        whole = taken["prediction"]
        assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
        assert taken["run"].parent_span_id == taken["wait"].parent_span_id == whole.span_id
        assert whole.start_time_unix_nano <= taken["run"].start_time_unix_nano
        assert taken["run"].end_time_unix_nano <= whole.end_time_unix_nano
        told = {one.key: one.value.string_value for one in whole.attributes}
        assert told == {
            "cog.prediction.id": "p1",
            "cog.request.id": "r-7",
            "cog.prediction.status": "succeeded",
        }
        assert found.received[0].path == "/v1/traces"
        assert found.received[0].headers["x-team"] == "models"
        assert b"painter" in found.received[0].body
        server.result({"mode": "raise", "value": "private"})
        failed = server.until(lambda: spans(found)["prediction"], lambda span: span.status.code == 2)
        assert failed.parent_span_id == b""
        assert b"private" not in b"".join(one.body for one in found.received)


def test_webhooks_and_the_model_are_children_of_the_spans(tmp_path: Path) -> None:
    """The trace goes on through the prediction's span to webhooks, through the run's to the model."""
    (tmp_path / "predict.py").write_text(SEEN)
    with (
        peer() as hook,
        collector() as (found, env),
        serving(tmp_path, "predict.py:predict", env=env) as server,
    ):
        output = server.result({}, webhook=hook.url("/h"), webhook_events_filter=["completed"])["output"]
        taken = server.until(lambda: spans(found), lambda got: {"prediction", "run"} <= set(got))
        assert taken["run"].span_id.hex() in output
        server.until(lambda: len(hook.received), lambda count: count == 1)
        _, trace, span, flags = hook.received[0].headers["traceparent"].split("-")
        assert (trace, span) == (taken["run"].trace_id.hex(), taken["prediction"].span_id.hex())
        assert int(flags, 16) & 1


def test_a_sampler_decides_which_spans_are_sent(project: Path) -> None:
    """OTEL_TRACES_SAMPLER is followed, and a trace that is not sampled still goes on."""
    with peer() as hook, collector() as (found, env):
        env |= {"OTEL_TRACES_SAMPLER": "parentbased_always_off", "COG_TRACE_HEADER_FORMAT": "jaeger"}
        with serving(project, "predict.py:Plain", env=env) as server:
            asked = {"webhook": hook.url("/h"), "webhook_events_filter": ["completed"]}
            server.result({"mode": "echo"}, **asked)
            server.until(lambda: len(hook.received), lambda count: count == 1)
            assert not int(hook.received[0].headers["traceparent"][-2:], 16) & 1
            server.post({"mode": "echo"}, headers={"uber-trace-id": "ab:cd:0:1"})
            server.until(lambda: spans(found), lambda got: "prediction" in got)
            assert {span.trace_id.hex().lstrip("0") for span in spans(found).values()} == {"ab"}


def test_a_collector_that_is_away_holds_nobody_up(project: Path) -> None:
    """Predictions go on, and the server ends in time with status 0."""
    env = {"COG_TRACE_ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with serving(project, "predict.py:Plain", env=env) as server:
        assert server.result({"mode": "echo"})["status"] == "succeeded"
        server.client.post("/shutdown")
        assert server.process.wait(12) == 0


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"PYTHONPATH": "without"}, 'Install "cogyard-model-server[tracing]"'),
    ],
)
def test_what_cannot_be_traced_is_told_at_the_start(tmp_path: Path, env: dict[str, str], words: str) -> None:
    """A setting that cannot be followed ends the server before a model is loaded, in words."""
    (tmp_path / "predict.py").write_text(SEEN)
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "opentelemetry.py").write_text("")
    command = [sys.executable, "-m", "cog_server", "--port", "0", "--ref", "predict.py:predict"]
    environ = {**os.environ, "COG_TRACE_ENABLED": "1", **env}
    run = subprocess.run(
        command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 1
    assert words in run.stderr
    assert "Traceback" not in run.stderr


CONFIG = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
def create_tracer_provider():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    return provider
def configure_instrumentation():
    print("instrumented")
"""


def test_the_author_s_own_provider_is_set_up(tmp_path: Path) -> None:
    """The file that COG_OBSERVABILITY_CONFIG names makes the author's provider; its spans are below the run."""
    (tmp_path / "tracing.py").write_text(CONFIG)
    (tmp_path / "predict.py").write_text(
        "from opentelemetry import trace\ndef predict() -> str:\n"
        "    with trace.get_tracer('mine').start_as_current_span('denoise'):\n        return 'x'\n"
    )
    with collector() as (found, env):
        env["COG_OBSERVABILITY_CONFIG"] = "tracing.py"
        with serving(tmp_path, "predict.py:predict", env=env) as server:
            assert "instrumented" in server.health()["setup"]["logs"]
            assert server.result({})["status"] == "succeeded"
            taken = server.until(lambda: spans(found), lambda got: {"denoise", "run"} <= set(got))
            assert taken["denoise"].parent_span_id == taken["run"].span_id
    (tmp_path / "tracing.py").write_text("x = 1\n")
    env = {"COG_OBSERVABILITY_CONFIG": "tracing.py"}
    with serving(tmp_path, "predict.py:predict", env=env, ready=False) as server:
        assert "no create_tracer_provider()" in server.wait_for("SETUP_FAILED")["error"]
