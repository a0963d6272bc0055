"""Spans of requests and predictions, when the operator asks for them. All of the platform's OpenTelemetry is here.

A span holds names, times and outcomes; never an input, an output or an error's text. A request's begins with it, so
that what it asks for can be below it; a prediction's is made when it has ended, from the times that are known then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cogyard.compose.settings import SettingsError
from cogyard.domain.values import Prediction, Status
from cogyard.http.traces import trace_headers
from cogyard.web.measuring import Answered, Meter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

SERVICE = "cogyard"
#: Addresses that probes and collectors ask every few seconds.
_QUIET = frozenset({"metrics"})


def make_spans(environ: Mapping[str, str] = os.environ) -> Spans | None:
    """Return what sends spans, or None when OTEL_* says that nothing is wanted. Raises SettingsError."""
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise SettingsError(
            "traces asks for OpenTelemetry, which is not installed here.",
            hint='Install "cogyard[tracing]", or unset traces.',
        )
    from cog_server.errors import StartError
    from cog_server.tracing.otel import make_provider

    try:
        provider = make_provider(environ, service=SERVICE)
    except StartError as error:
        raise SettingsError(error.message, hint=error.hint) from error
    return None if provider is None else Spans(provider)


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A request's span that has begun, and what whatever the request begins is part of."""

    span: Span
    traceparent: str


class Spans:
    """Makes spans of what is over."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("cogyard")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, traceparent: str) -> Begun:
        """Begin the span of a request, as a child of its caller's where it names one."""
        from opentelemetry import trace

        span = self._tracer.start_span(
            "request",
            context=self._propagator.extract({"traceparent": traceparent}),
            kind=trace.SpanKind.SERVER,
        )
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, trace.set_span_in_context(span))
        return Begun(span=span, traceparent=carrier.get("traceparent", ""))

    def request(self, answered: Answered) -> None:
        """End the span of a request that was answered; one that nobody cares for is never sent."""
        from opentelemetry import trace

        if answered.part in _QUIET or not isinstance(answered.mark, Begun):
            return
        span = answered.mark.span
        span.update_name(answered.operation or f"{answered.method} {answered.part}")
        span.set_attributes(
            {
                "http.request.method": answered.method,
                "http.response.status_code": answered.status,
                "cogyard.part": answered.part,
            }
        )
        if answered.status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        span.end()

    def prediction(self, prediction: Prediction) -> None:
        """Make the span of a prediction that ended, with its wait and its run in it.

        It is a child of the request that asked for it, also when that was answered long before.
        """
        from opentelemetry import trace

        begun, over = _nanoseconds(prediction.created_at), _nanoseconds(prediction.completed_at)
        span = self._tracer.start_span(
            "prediction",
            context=self._propagator.extract(trace_headers(prediction.trace)),
            attributes={
                "cog.prediction.id": prediction.id,
                "cog.prediction.status": prediction.status.value,
                "cogyard.model": prediction.model,
                "cogyard.version": prediction.version,
            },
            start_time=begun,
        )
        inside = trace.set_span_in_context(span)
        started = _nanoseconds(prediction.started_at) if prediction.started_at is not None else over
        self._tracer.start_span("wait", context=inside, start_time=begun).end(max(begun, started))
        if prediction.started_at is not None:
            self._tracer.start_span("run", context=inside, start_time=started).end(max(started, over))
        if prediction.status is Status.FAILED:
            span.set_status(trace.StatusCode.ERROR)
        span.end(max(begun, over))

    def close(self) -> None:
        """Send what is not sent yet; blocks for some seconds when the collector is away."""
        self._provider.shutdown()


@dataclass(frozen=True, slots=True)
class Traced:
    """A Meter that makes spans of what another one measures."""

    meter: Meter
    spans: Spans

    def begun(self, traceparent: str) -> Begun:
        """Note that a request has come."""
        self.meter.begun(traceparent)
        return self.spans.begin(traceparent)

    def answered(self, answered: Answered) -> None:
        """Note that a request was answered."""
        self.meter.answered(answered)
        self.spans.request(answered)

    async def exposition(self) -> tuple[str, bytes]:
        """Return what the other meter measured."""
        return await self.meter.exposition()


def _nanoseconds(moment: datetime | None) -> int:
    return time.time_ns() if moment is None else int(moment.timestamp() * 1e9)
