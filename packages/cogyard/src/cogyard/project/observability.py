"""`observability` of cog.yaml: checked as Cog 0.23 writes it, kept as it is, and what it means for the model server."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cogyard.project.keys import SAMPLERS, TRACE_HEADER_FORMATS, names_under

if TYPE_CHECKING:
    import yaml

    from cogyard.project.reader import Reader

DEFAULT_SAMPLER = "parentbased_always_off"
"""Cog's: traced is what the caller traces."""
_TRACES = ("enabled", "sampler", "sampler_arg", "trace_header", "trace_header_format")


def read_observability(reader: Reader, node: yaml.Node | None) -> Mapping[str, Any] | None:
    """Return the section as JSON values; None where there is none."""
    if node is None:
        return None
    before = len(reader.problems)
    keys = reader.mapping(node, "observability", names_under("observability"))
    if "config" in keys:
        _config(reader, keys["config"])
    if "traces" in keys:
        _traces(reader, keys["traces"])
    if "metrics" in keys:
        reader.mapping(keys["metrics"], "observability.metrics", None)
    value = reader.plain(node) if len(reader.problems) == before else None
    return MappingProxyType(value) if isinstance(value, dict) else None


def _config(reader: Reader, node: yaml.Node) -> None:
    text = reader.text(node, "observability.config")
    if text is not None and not text.endswith(".py"):
        reader.problem(
            node, f"`observability.config` is `{text}`; it must name a Python file, such as tracing.py"
        )


def _traces(reader: Reader, node: yaml.Node) -> None:
    import yaml

    keys = reader.mapping(node, "observability.traces", _TRACES)
    if "enabled" in keys:
        reader.flag(keys["enabled"], "enabled")
    elif isinstance(node, yaml.MappingNode):
        reader.problem(
            node, "`observability.traces` does not say whether it is `enabled`", "Write `enabled: true`."
        )
    if "sampler" in keys:
        reader.choice(keys["sampler"], "sampler", SAMPLERS)
    if "sampler_arg" in keys:
        reader.text(keys["sampler_arg"], "sampler_arg", numbers=True)
    if "trace_header" in keys:
        reader.text(keys["trace_header"], "trace_header")
    if "trace_header_format" in keys:
        reader.choice(keys["trace_header_format"], "trace_header_format", TRACE_HEADER_FORMATS)


def trace_variables(observability: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the variables by which the model server traces as cog.yaml says; empty where it asks for no traces."""
    found = observability or {}
    traces = found.get("traces") or {}
    if not traces.get("enabled"):
        return {}
    named = {
        "OTEL_TRACES_SAMPLER": traces.get("sampler") or DEFAULT_SAMPLER,
        "OTEL_TRACES_SAMPLER_ARG": traces.get("sampler_arg"),
        "COG_TRACE_HEADER": traces.get("trace_header"),
        "COG_TRACE_HEADER_FORMAT": traces.get("trace_header_format"),
        "COG_OBSERVABILITY_CONFIG": found.get("config"),
    }
    return {
        "COG_TRACE_ENABLED": "1",
        **{name: str(value) for name, value in named.items() if value is not None},
    }
