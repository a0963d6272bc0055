"""Depth is measured without falling into it."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.domain.depth import deeper_than


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value, 2] if level % 2 else {"a": value, "b": 3}
    return value


@pytest.mark.parametrize("depth", [0, 1, 50, 100, 101, 5000])
def test_depth_counts_lists_and_objects(depth: int) -> None:
    """A hundred levels pass, one more does not."""
    assert deeper_than(_nested(depth), 100) is (depth > 100)
