"""What predictions came to: buckets, percentiles, and the columns of a chart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.usage import (
    LAST_BUCKET,
    NEVER,
    UNSAID,
    Span,
    Tally,
    bucket,
    columns,
    first_hour,
    hour_of,
    seconds_in,
    times,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)


@given(st.floats(min_value=0.001, max_value=1_500_000))
def test_a_bucket_is_true_to_a_fifth(seconds: float) -> None:
    """What stands for a time differs from it by less than a fifth."""
    shown = seconds_in(bucket(timedelta(seconds=seconds)))
    assert 0.8 < shown / seconds < 1.2


def test_times_that_are_none_or_out_of_range() -> None:
    """What never began has a bucket of its own; clocks that were set back and weeks without end have one too."""
    assert bucket(None) == NEVER
    assert bucket(timedelta(seconds=-5)) == bucket(timedelta(0)) == 0
    assert bucket(timedelta(days=4000)) == LAST_BUCKET


def test_percentiles_of_what_ran() -> None:
    """Half of it and 95 of 100; what never began is not counted, and of nothing there are none."""
    found = times({NEVER: 1000, 10: 94, 20: 6})
    assert found is not None
    assert (found.half, found.most) == (seconds_in(10), seconds_in(20))
    assert times({NEVER: 3}) is None
    assert times({}) is None


@pytest.mark.parametrize(("span", "size"), [(Span.DAY, 24), (Span.WEEK, 28)])
def test_columns_end_with_the_present_one(span: Span, size: int) -> None:
    """Each is as many hours as the span says, from a whole step on; what is older or in the future is not shown."""
    hour, first = hour_of(NOW), first_hour(span, NOW)
    tallies = [
        Tally(hour, "succeeded", 4, UNSAID, 3),
        Tally(hour, "", UNSAID, 2, 3),
        Tally(hour, "failed", NEVER, NEVER, 1),
        Tally(first, "succeeded", 4, 2, 5),
        Tally(first - 1, "succeeded", 4, 2, 99),
        Tally(hour + span.step, "succeeded", 4, 2, 99),
    ]
    found = columns(tallies, {hour: 2, first: 7}, span, NOW)
    assert len(found) == size
    assert found[0].counts == {"succeeded": 5}
    assert found[-1].counts == {"succeeded": 3, "failed": 1}
    assert (found[0].instances, found[-1].instances, found[1].instances) == (7, 2, 0)
    assert found[-1].ran == times({4: 3})
    assert found[-1].waited == times({2: 3})
    assert found[1].ran is None
    assert found[-1].start <= NOW < found[-1].start + timedelta(hours=span.step)
    assert found[0].start.hour % span.step == 0
