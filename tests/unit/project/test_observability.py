"""From `observability` of cog.yaml to the model server's variables."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.project.observability import trace_variables


@pytest.mark.parametrize(
    "found", [None, {}, {"config": "a.py"}, {"traces": {"enabled": False, "sampler": "always_on"}}]
)
def test_nothing_is_set_unless_traces_are_asked_for(found: Any) -> None:
    """A config alone, and traces that are off, cost nothing."""
    assert trace_variables(found) == {}


def test_what_is_said_is_passed_on() -> None:
    """Each key has its variable; Cog's sampler is the one unless another is named."""
    assert trace_variables({"traces": {"enabled": True}}) == {
        "COG_TRACE_ENABLED": "1",
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
    }
    traces = {"enabled": True, "sampler": "traceidratio", "sampler_arg": 0.5}
    traces |= {"trace_header": "x-trace", "trace_header_format": "jaeger"}
    assert trace_variables({"config": "tracing.py", "traces": traces}) == {
        "COG_TRACE_ENABLED": "1",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.5",
        "COG_TRACE_HEADER": "x-trace",
        "COG_TRACE_HEADER_FORMAT": "jaeger",
        "COG_OBSERVABILITY_CONFIG": "tracing.py",
    }
