"""What a prediction tells its reader in embedded use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Started:
    """The model has begun."""

    id: str


@dataclass(frozen=True, kw_only=True)
class Output:
    """One value that an iterator yielded, counted from 0."""

    chunk: Any
    index: int


@dataclass(frozen=True, kw_only=True)
class Log:
    """Text that the model wrote; `source` is stdout or stderr."""

    source: str
    data: str


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A value that the model recorded."""

    name: str
    value: Any
    mode: str


@dataclass(frozen=True, kw_only=True)
class Completed:
    """The end. `status` is succeeded, failed or canceled; what was yielded stands in `output` as a list."""

    id: str
    status: str
    output: Any
    error: str | None
    logs: str
    metrics: Mapping[str, Any]


Event = Started | Output | Log | Metric | Completed
