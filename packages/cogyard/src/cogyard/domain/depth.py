"""How deeply JSON is nested, and how many values it has: strangers' values are walked by Python, level by level."""

from __future__ import annotations

from typing import Any

# Far more than any input or output needs, far less than what breaks a walk.
MAX_DEPTH = 100
# Some walks take a microsecond for each value, and what is walked holds memory of many times its text.
MAX_VALUES = 1_000_000


def deeper_than(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether a JSON value has more than `limit` lists and objects inside one another."""
    if not isinstance(value, (dict, list, tuple)):
        return False
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, (dict, list, tuple))
        ]
        if not level:
            return False
    return True


def more_values_than(value: Any, limit: int = MAX_VALUES) -> bool:
    """Whether a JSON value has more than `limit` values in it; no more than so many are looked at.

    A list or object counts as one, and so does each thing in it.
    """
    if not isinstance(value, (dict, list, tuple)):
        return limit < 1
    seen = 1
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, (dict, list, tuple)):
            continue
        seen += len(each)
        if seen > limit:
            return True
        items = each.values() if isinstance(each, dict) else each
        waiting.extend(item for item in items if isinstance(item, (dict, list, tuple)))
    return False
