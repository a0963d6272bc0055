"""How deeply JSON is nested: strangers' values are walked by functions that call themselves."""

from __future__ import annotations

from typing import Any

# Far more than any input or output needs, far less than what breaks a walk.
MAX_DEPTH = 100


def deeper_than(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether a JSON value has more than `limit` lists and objects inside one another."""
    if not isinstance(value, (dict, list, tuple)):
        return False
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            item
            for each in level
            if isinstance(each, dict | list | tuple)
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list | tuple)
        ]
        if not level:
            return False
    return True
