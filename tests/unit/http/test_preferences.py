"""Prefer and Cancel-After are read as official clients write them."""

from __future__ import annotations

import pytest
from cogyard.domain.waiting import Urgency
from cogyard.http.errors import BadRequestError, InvalidError
from cogyard.http.preferences import Wait, cancel_after, urgency, wait_preference


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("respond-async", None),
        ("wait", Wait(60, "wait")),
        ("wait=5", Wait(5, "wait=5")),
        ("WAIT=60", Wait(60, "wait=60")),
        ("wait=120", Wait(60, "wait=60")),
        ("respond-async, wait=1", Wait(1, "wait=1")),
        ("wait; foo=bar", Wait(60, "wait")),
        ("wait=7;foo, respond-async", Wait(7, "wait=7")),
    ],
)
def test_wait_is_read(header: str | None, expected: Wait | None) -> None:
    """A number is seconds; none means the longest."""
    assert wait_preference(header) == expected


@pytest.mark.parametrize("header", ["wait=0", "wait=1e9", "wait=-1", "wait=x", "wait=1.5", "wait=", "wait=٣"])
def test_other_waits_are_refused(header: str) -> None:
    """What is no number of seconds is an error that says the range."""
    with pytest.raises(BadRequestError, match="1 to 60"):
        wait_preference(header)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30), ("30s", 30), ("5m", 300), ("1h30m45s", 5445), (" 24h ", 86400), (None, None)],
)
def test_durations_are_read(header: str | None, seconds: int | None) -> None:
    """Units may be left out or combined."""
    assert cancel_after(header) == seconds


@pytest.mark.parametrize("header", ["4s", "25h", "x", "1d", "-5", "5m5h", "99999999999s"])
def test_other_durations_are_refused(header: str) -> None:
    """Out of range or unreadable is an error."""
    with pytest.raises(InvalidError):
        cancel_after(header)


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, Urgency.NORMAL), ("high", Urgency.HIGH), (" Low ", Urgency.LOW), ("normal", Urgency.NORMAL)],
)
def test_priorities_are_read(header: str | None, expected: Urgency) -> None:
    """One of three words; none is normal."""
    assert urgency(header) is expected


@pytest.mark.parametrize("header", ["", "urgent", "0", "u=1"])
def test_other_priorities_are_refused(header: str) -> None:
    """By an error that names the words."""
    with pytest.raises(BadRequestError, match="high, normal, low"):
        urgency(header)
