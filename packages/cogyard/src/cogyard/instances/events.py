"""What a model server says while it runs a prediction (spec/model-http.md, "Events")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputEvent:
    """One value the model yielded."""

    chunk: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEvent:
    """Text the model printed."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletedEvent:
    """The end: `status` is succeeded, failed or canceled."""

    status: str
    output: Any = None
    error: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    #: What killed the model's process from outside, where a signal did.
    signal: int | None = None


ServerEvent = OutputEvent | LogEvent | CompletedEvent


class _Output(msgspec.Struct):
    chunk: Any = None


class _Log(msgspec.Struct):
    data: str = ""


class _Completed(msgspec.Struct):
    status: str
    output: Any = None
    error: str | None = None
    metrics: dict[str, Any] | None = None
    signal: int | None = None


_OUTPUT = msgspec.json.Decoder(_Output)
_LOG = msgspec.json.Decoder(_Log)
_COMPLETED = msgspec.json.Decoder(_Completed)


def read_event(name: str, data: str | bytes) -> ServerEvent | None:
    """Read one event; None for kinds that carry nothing we report. Raises ValueError when it is malformed."""
    if name == "output":
        return OutputEvent(chunk=_OUTPUT.decode(data).chunk)
    if name == "log":
        return LogEvent(text=_LOG.decode(data).data)
    if name == "completed":
        end = _COMPLETED.decode(data)
        if end.status not in {"succeeded", "failed", "canceled"}:
            raise ValueError(f"a prediction completed with the status {end.status!r:.50}")
        return CompletedEvent(
            status=end.status,
            output=end.output,
            error=end.error,
            metrics=end.metrics or {},
            signal=end.signal,
        )
    return None
