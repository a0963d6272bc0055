"""Spans of predictions by OpenTelemetry: every call of that library is here.

Imported only when the operator asks for it (`COG_TRACE_ENABLED`), so that it costs nothing otherwise. Where spans go
and which are kept is said by OpenTelemetry's own variables, `OTEL_*`; its library reads them. A span holds names, times
and outcomes; never an input, an output or an error's text, for those are the callers'.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cog_server.errors import StartError
from cog_server.origin import Origin
from cog_server.release import release
from cog_server.tracing import Trace

try:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as missing:
    raise StartError(
        f"COG_TRACE_ENABLED asks for traces, and OpenTelemetry is not installed here ({missing.name} is missing)",
        hint='Install "cogyard-model-server[tracing]" beside the server, or unset COG_TRACE_ENABLED.',
    ) from missing

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from cog_server.prediction import Prediction

CLOSE_SECONDS = 5.0
"""Seconds that the last spans may take when the server ends."""
_SERVICE = "cog"
_propagator = TraceContextTextMapPropagator()


def make(environ: Mapping[str, str]) -> SpanTracer | None:
    """Return a tracer that exports what OTEL_* says, or None when those say that nothing is wanted.

    Raises StartError for an exporter or a protocol that is not there.
    """
    provider = make_provider(environ, service=_SERVICE)
    return None if provider is None else SpanTracer(provider)


def make_provider(environ: Mapping[str, str], *, service: str) -> TracerProvider | None:
    """Return what makes and sends spans under a name, unless OTEL_* names another; None when nothing is wanted.

    Raises StartError for an exporter or a protocol that is not there.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    exporter = _exporter(environ)
    if exporter is None:
        return None
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _exporter(environ: Mapping[str, str]) -> SpanExporter | None:
    name = environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() or "otlp"
    if name == "none":
        return None
    if name == "console":
        return ConsoleSpanExporter()
    if name != "otlp":
        raise StartError(f"OTEL_TRACES_EXPORTER is {name!r}", hint="There are otlp, console and none.")
    protocol = (
        environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    if protocol != "http/protobuf":
        raise StartError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}",
            hint="Spans are sent as http/protobuf here; collectors take that on port 4318.",
        )
    return OTLPSpanExporter()


class SpanTracer:
    """Make spans with one provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("cog_server", release())

    def accept(self, origin: Origin, id: str, *, training: bool) -> Trace | None:
        """Begin the span of a prediction, as a child of the request's where it has one."""
        attributes = {"cog.prediction.id": id}
        if origin.request_id is not None:
            attributes["cog.request.id"] = origin.request_id
        span = self._tracer.start_span(
            "training" if training else "prediction",
            context=_propagator.extract(origin.trace),
            kind=trace.SpanKind.SERVER,
            attributes=attributes,
        )
        return Spans(self._tracer, span)

    def close(self) -> None:
        """Send what is not sent yet, for five seconds: a collector that is away holds nobody up."""
        last = threading.Thread(target=self._provider.shutdown, name="cog-spans", daemon=True)
        last.start()
        last.join(CLOSE_SECONDS)


class Spans:
    """The spans of one prediction: the whole, its time in the queue, the model's run."""

    __slots__ = ("_accepted", "_context", "_run", "_span", "_tracer", "headers")

    def __init__(self, tracer: trace.Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._context: Context = trace.set_span_in_context(span)
        self._accepted = time.time_ns()
        self._run: Span | None = None
        self.headers: Mapping[str, str] = _headers(self._context)

    def runs(self) -> Mapping[str, str]:
        """End the wait and begin the run; the model's own spans are its children."""
        wait = self._tracer.start_span("wait", context=self._context, start_time=self._accepted)
        wait.end()
        self._run = self._tracer.start_span("run", context=self._context)
        return _headers(trace.set_span_in_context(self._run))

    def over(self, prediction: Prediction) -> None:
        """End the spans with the outcome."""
        run, status = self._run, prediction.status
        if run is not None:
            started, seconds = prediction.started_at, prediction.predict_time
            end = None if seconds is None or started is None else int((started + seconds) * 1e9)
            run.end(end)
        self._span.set_attribute("cog.prediction.status", status)
        if status == "failed":
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


def _headers(context: Context) -> dict[str, str]:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, context)
    return carrier
