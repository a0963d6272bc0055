"""A model that says too much fills neither disk nor memory."""

from __future__ import annotations

from typing import Any

from cogyard.domain.depth import MAX_VALUES
from cogyard.features.predictions.limits import (
    LOG_CUT,
    LOG_LIMIT,
    OUTPUT_LIMIT,
    TOO_DEEP,
    TOO_LARGE,
    TOO_MANY,
    Spoken,
    problem_of,
)


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_endless_logs_are_cut_and_that_is_said_once() -> None:
    """What comes after the cut is dropped."""
    spoken = Spoken()
    assert [item.data for item in spoken.take((), "x" * (LOG_LIMIT - 1))] == ["x" * (LOG_LIMIT - 1)]
    assert [item.data for item in spoken.take((), "abc")] == ["a" + LOG_CUT]
    assert spoken.take((), "d") == []
    assert spoken.problem is None


def test_streamed_outputs_are_counted_together() -> None:
    """After the one that is too much none is kept, and the reason is known at the end."""
    spoken = Spoken()
    assert len(spoken.take(("x" * OUTPUT_LIMIT,), "l")) == 2
    assert spoken.take(("y", "z"), "") == []
    assert spoken.problem == TOO_LARGE


def test_outputs_that_cannot_be_walked_are_refused() -> None:
    """Streamed or whole."""
    spoken = Spoken()
    assert spoken.take((_nested(5000),), "") == []
    assert spoken.problem == TOO_DEEP
    assert problem_of(_nested(5000)) == TOO_DEEP


def test_a_whole_output_has_a_size() -> None:
    """Text or JSON."""
    assert problem_of("x" * (OUTPUT_LIMIT + 1)) == TOO_LARGE
    assert problem_of(["x" * OUTPUT_LIMIT]) == TOO_LARGE
    for fine in (None, 1, "x", {"a": [1]}, "x" * OUTPUT_LIMIT):
        assert problem_of(fine) is None


def test_more_values_than_anybody_can_walk_are_refused() -> None:
    """A million numbers are a file; each look at them would hold everybody up."""
    many = [0] * (MAX_VALUES + 1)
    spoken = Spoken()
    assert spoken.take([many], "") == []
    assert spoken.problem == TOO_MANY
    assert problem_of(many) == TOO_MANY
    assert problem_of([0] * 1000) is None
