"""What a prediction's card says in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cogyard.domain.values import Prediction, Status
from cogyard.web.cards import HIDDEN, ago, brief, card, seconds, shown_input, size, timings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def prediction(**changes: Any) -> Prediction:
    """Return a prediction with something changed."""
    base: dict[str, Any] = {
        "id": "p1",
        "model": "ada/upscale",
        "version": "a" * 64,
        "account_id": 1,
        "status": Status.STARTING,
        "input": {},
        "created_at": NOW,
    }
    return Prediction(**{**base, **changes})


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 ms"), (0.0126, "13 ms"), (3.24, "3.2 s"), (65.1, "1 min 5 s"), (7260, "2 h 1 min"), (-1, "0 ms")],
)
def test_durations(value: float, words: str) -> None:
    """A duration is written as a person would say it."""
    assert seconds(value) == words


@pytest.mark.parametrize(
    ("past", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=50), "1 minute ago"),
        (timedelta(minutes=59, seconds=50), "1 hour ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=70), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_how_long_ago(past: timedelta, words: str) -> None:
    """A moment is said by its distance from now."""
    assert ago(NOW - past, NOW) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (123_456_789, "123 MB"), (5_000_000_000_000, "5000 GB")],
)
def test_sizes(count: int, words: str) -> None:
    """A number of bytes has three digits and a unit."""
    assert size(count) == words


def test_waiting_is_explained_only_when_it_lasts() -> None:
    """A warm instance begins before the page explains what a cold one does."""
    soon = card(prediction(), {}, shown_output=None, base="", now=NOW + timedelta(seconds=1))
    late = card(prediction(), {}, shown_output=None, base="", now=NOW + timedelta(seconds=9))
    assert (soon.explains, soon.waiting) == (False, "Queued")
    assert (late.explains, late.waiting) == (True, "Waiting for an instance")


def test_timings_say_what_is_known() -> None:
    """Queue, run and total stand once each of them is known."""
    assert timings(prediction()) == ()
    ended = prediction(
        started_at=NOW + timedelta(seconds=2),
        completed_at=NOW + timedelta(seconds=5),
        metrics={"predict_time": 2.5},
    )
    assert timings(ended) == (("queued", "2.0 s"), ("ran", "2.5 s"), ("in all", "5.0 s"))


def test_a_metric_that_is_no_number_is_left_out() -> None:
    """A model's own metrics are hostile too."""
    assert timings(prediction(metrics={"predict_time": "<b>"})) == ()


def test_a_brief_input_is_one_short_line() -> None:
    """A list of predictions shows words, file names and small values, not addresses or data."""
    given = {"prompt": "a\n b", "image": "cogyard-file:t/in.png", "scale": 2, "no": None}
    assert brief(prediction(input=given)) == "a b · in.png · scale: 2"
    assert brief(prediction(input={"x": "data:image/png;base64," + "A" * 1000})) == "x: data"
    assert len(brief(prediction(input={"x": "y" * 1000}))) <= 90


def test_secrets_are_hidden() -> None:
    """The value of a secret input is on no page, long or short."""
    secretive = prediction(input={"key": "hunter2", "text": "hi"}, secret_inputs=("key",))
    assert shown_input(secretive) == {"key": HIDDEN, "text": "hi"}
    assert brief(secretive) == "hi"


def test_a_start_that_was_noted_late_makes_no_parts_that_exceed_the_whole() -> None:
    """What the model ran is measured beside it; the rest of the whole is the most that it was queued."""
    ended = prediction(
        created_at=NOW,
        started_at=NOW + timedelta(milliseconds=111),
        completed_at=NOW + timedelta(milliseconds=540),
        metrics={"predict_time": 0.508},
    )
    assert timings(ended) == (("queued", "32 ms"), ("ran", "508 ms"), ("in all", "540 ms"))


def test_a_failure_tells_whether_the_model_ran() -> None:
    """It may come before the start was noted; how long it ran is known all the same."""
    assert not prediction(status=Status.FAILED).began
    assert prediction(status=Status.FAILED, started_at=NOW).began
    assert prediction(status=Status.FAILED, metrics={"predict_time": 0.001}).began
    assert prediction(status=Status.FAILED, attempts=1).began
    assert not prediction(status=Status.STARTING, attempts=1).began
