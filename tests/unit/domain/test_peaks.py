"""The most of something within the last while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cogyard.domain.peaks import Peak
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 11, 27, tzinfo=UTC)
WINDOW = timedelta(seconds=10)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=60))
def test_it_is_the_most_of_the_window_and_holds_little(looks: list[tuple[int, int]]) -> None:
    """At every look it is what a list of all looks says, and keeps no more of them than there are sizes."""
    peak, now, all_ = Peak(), START, list[tuple[datetime, int]]()
    for pause, count in looks:
        now += timedelta(seconds=pause)
        peak = peak.with_(count, now, WINDOW)
        all_.append((now, count))
        assert peak.most == max(size for moment, size in all_ if now - moment < WINDOW)
        assert len(peak.seen) <= 6


def test_of_nothing_it_is_nothing() -> None:
    """Before the first look."""
    assert Peak().most == 0
