"""Metrics: names, modes and types are checked before anything is sent."""

from __future__ import annotations

from typing import Any

import cog
import pytest
from cog.metrics import Metrics
from cog.scope import Scope, sole


def recorded() -> tuple[Metrics, list[tuple[str, Any, str]]]:
    """Return metrics and the list of what they report."""
    told: list[tuple[str, Any, str]] = []
    return Metrics(lambda *change: told.append(change)), told


def test_modes_build_values_up() -> None:
    """replace, incr and append change the value as they say, and each change is reported as it was asked for."""
    metrics, told = recorded()
    metrics.record("tokens.in", 3)
    metrics.record("tokens.in", 2, "incr")
    metrics.record("steps", 1, "append")
    metrics.record("steps", 2, "append")
    assert (metrics["tokens.in"], metrics["steps"]) == (5, [1, 2])
    assert told == [
        ("tokens.in", 3, "replace"),
        ("tokens.in", 2, "incr"),
        ("steps", 1, "append"),
        ("steps", 2, "append"),
    ]


def test_none_deletes() -> None:
    """None takes a metric away, whatever the mode; afterwards another type may have the name."""
    metrics, told = recorded()
    metrics["a"] = 1
    metrics.record("a", None, "incr")
    assert "a" not in metrics
    assert told[-1] == ("a", None, "replace")
    metrics["a"] = "text"
    del metrics["a"]
    assert (len(metrics), list(metrics), metrics.get("a", 0)) == (0, [], 0)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "a.",
        ".a",
        "a..b",
        "a__b",
        "a_",
        "a-b",
        "é",
        "a.b.c.d.e",
        "a" * 129,
        "predict_time",
        "cog.x",
        "a b",
        "_a",
    ],
)
def test_bad_names_are_refused(name: str) -> None:
    """A name that is no dotted path of words, or is the server's own, is an error."""
    with pytest.raises(ValueError, match="metric"):
        recorded()[0].record(name, 1)


@pytest.mark.parametrize("name", ["a", "a1", "a_b", "a.b.c.d", "Tokens_per_second", "a" * 128])
def test_good_names_are_taken(name: str) -> None:
    """Letters, digits, single underscores and up to four parts make a name."""
    recorded()[0].record(name, 1)


@pytest.mark.parametrize(
    ("first", "second", "mode"),
    [
        (1, "a", "replace"),
        ("a", 1, "replace"),
        (True, 1, "replace"),
        ("a", 1, "incr"),
        (1, 2, "append"),
        (1, True, "incr"),
    ],
)
def test_the_type_does_not_change_under_a_name(first: Any, second: Any, mode: str) -> None:
    """A value of another kind is refused until the metric is deleted."""
    metrics, told = recorded()
    metrics.record("a", first)
    with pytest.raises(TypeError, match="'a'"):
        metrics.record("a", second, mode)
    assert told == [("a", first, "replace")]


def test_whole_numbers_and_fractions_are_one_kind() -> None:
    """1 may become 1.5."""
    metrics, _ = recorded()
    metrics["a"] = 1
    metrics["a"] = 1.5
    assert metrics["a"] == 1.5


def test_an_unknown_mode_is_refused() -> None:
    """A mode that isn't one of the three is named."""
    with pytest.raises(ValueError, match="'add' is not one of replace, incr, append"):
        recorded()[0].record("a", 1, "add")


def test_outside_of_a_prediction_metrics_go_nowhere() -> None:
    """Code that records metrics runs unchanged in a script, where nobody listens."""
    cog.record_metric("a", 1)
    cog.emit_metric("a", 1)
    cog.BasePredictor().record_metric("a", 1)
    assert dict(cog.current_scope().context) == {}


def test_inside_a_prediction_every_way_leads_to_the_same_metrics() -> None:
    """record_metric, emit_metric, the predictor's own method and its scope all report to the running prediction."""
    metrics, told = recorded()
    sole.scope = Scope(metrics, {"who": "me"}, "/tmp/p")
    try:
        predictor = cog.BaseRunner()
        cog.record_metric("a", 1)
        cog.emit_metric("b", 2)
        predictor.record_metric("c", 3, mode="incr")
        predictor.scope.record_metric("d", 4)
        assert predictor.scope.context["who"] == "me"
        assert predictor.scope.folder == "/tmp/p"
    finally:
        sole.scope = None
    assert [name for name, _, _ in told] == ["a", "b", "c", "d"]
