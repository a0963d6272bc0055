"""How a bucket is emptied and fills."""

from __future__ import annotations

import pytest
from cogyard.domain.rates import Bucket, take
from hypothesis import given
from hypothesis import strategies as st


def test_a_minutes_worth_goes_through_at_once_and_then_as_it_fills() -> None:
    """Of six a minute: six at once, the next after ten seconds, never more than six however long nobody came."""
    bucket: Bucket | None = None
    for left in range(5, -1, -1):
        taken = take(bucket, 6, 0.0)
        assert (taken.wait, taken.remaining) == (0.0, left)
        bucket = taken.bucket
    refused = take(bucket, 6, 4.0)
    assert refused.wait == pytest.approx(6.0)
    assert take(refused.bucket, 6, 10.0).wait == 0.0
    assert take(refused.bucket, 6, 10_000.0).remaining == 5


def test_reset_says_when_it_is_whole_again() -> None:
    """In whole seconds."""
    assert take(None, 60, 0.0).reset == 1
    assert take(Bucket(0.5, 0.0), 60, 0.0).reset == 60


@given(st.lists(st.floats(0, 5), max_size=80), st.integers(1, 20))
def test_never_more_than_the_rate_over_time(pauses: list[float], limit: int) -> None:
    """However requests come, no more go through than a full bucket and what filled it since."""
    bucket, now, through = None, 0.0, 0
    for pause in pauses:
        now += pause
        taken = take(bucket, limit, now)
        bucket, through = taken.bucket, through + (taken.wait == 0)
        assert 0 <= taken.bucket.left <= limit
    assert through <= limit + now * limit / 60 + 1e-6


def test_a_window_may_be_longer_than_a_minute() -> None:
    """Of four an hour one comes free every quarter."""
    bucket: Bucket | None = None
    for _ in range(4):
        bucket = take(bucket, 4, 0.0, period=3600).bucket
    refused = take(bucket, 4, 0.0, period=3600)
    assert (refused.wait, refused.reset) == (900.0, 3600)
    assert take(bucket, 4, 900.0, period=3600).wait == 0.0
