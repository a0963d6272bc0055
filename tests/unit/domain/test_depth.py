"""Depth is measured without falling into it."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.domain.depth import deeper_than, more_values_than


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value, 2] if level % 2 else {"a": value, "b": 3}
    return value


@pytest.mark.parametrize("depth", [0, 1, 50, 100, 101, 5000])
def test_depth_counts_lists_and_objects(depth: int) -> None:
    """A hundred levels pass, one more does not."""
    assert deeper_than(_nested(depth), 100) is (depth > 100)


@pytest.mark.parametrize(
    "value",
    [
        [0] * 100,
        [[0] * 49, [0] * 49],
        {str(number): 0 for number in range(100)},
        {"a": [[[]] for _ in range(50)]},
    ],
    ids=["list", "lists", "object", "nested"],
)
def test_values_are_counted_wherever_they_stand(value: Any) -> None:
    """Lists and objects count, and so does what is in them."""
    assert more_values_than(value, 100) is True
    assert more_values_than(value, 1000) is False


def test_as_many_values_as_the_limit_pass() -> None:
    """A list of 99 has 100 values, itself among them."""
    assert more_values_than([0] * 99, 100) is False
    assert more_values_than([0] * 100, 100) is True
    assert more_values_than("text", 1) is False
