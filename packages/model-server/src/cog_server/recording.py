"""Metrics that a model records: `name` may be dotted, and says where in the `metrics` object its value goes."""

from __future__ import annotations

from typing import Any

MAX_METRICS = 1000
"""Distinct values one prediction may record."""


def record(metrics: dict[str, Any], name: str, value: Any, mode: str) -> None:
    """Apply one METRIC to `metrics` in place; None deletes. What cannot be combined replaces."""
    *parents, last = name.split(".")
    place = metrics
    for part in parents:
        inner = place.get(part)
        if not isinstance(inner, dict):
            if len(place) >= MAX_METRICS:
                return
            inner = place[part] = {}
        place = inner
    if value is None:
        place.pop(last, None)
        return
    if last not in place and len(place) >= MAX_METRICS:
        return
    before = place.get(last)
    if mode == "incr" and _is_number(before) and _is_number(value):
        place[last] = before + value
    elif mode == "append":
        kept = before if isinstance(before, list) else [] if before is None else [before]
        place[last] = [*kept, value]
    else:
        place[last] = value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
