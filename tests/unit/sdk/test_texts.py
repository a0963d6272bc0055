"""Moments, dates, times and UUIDs: what a caller's text becomes, and that both sides take the same texts."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from cog.schema.texts import NAMES, reader
from cog_server.formats import EXAMPLES, is_of_form
from hypothesis import given
from hypothesis import strategies as st

UTC = dt.timezone.utc  # noqa: UP017 - Python 3.10 has no other name for it


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        ("date-time", "2026-11-26T15:04:05Z", dt.datetime(2026, 11, 26, 15, 4, 5, tzinfo=UTC)),
        ("date-time", "2026-11-26t15:04:05.5z", dt.datetime(2026, 11, 26, 15, 4, 5, 500_000, UTC)),
        ("date-time", "2026-11-26T15:04:05.123456789", dt.datetime(2026, 11, 26, 15, 4, 5, 123_456)),  # noqa: DTZ001 - as it names no zone
        (
            "date-time",
            "2026-11-26 15:04+02:00",
            dt.datetime(2026, 11, 26, 15, 4, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        ),
        ("date-time", "2026-11-26", dt.datetime(2026, 11, 26)),  # noqa: DTZ001 - it names no zone
        ("date", "2026-11-26", dt.date(2026, 11, 26)),
        ("time", "15:04:05.25", dt.time(15, 4, 5, 250_000)),
        ("uuid", "123E4567-e89b-12d3-a456-426614174000", uuid.UUID("123e4567-e89b-12d3-a456-426614174000")),
    ],
)
def test_a_text_becomes_what_it_stands_for(form: str, text: str, value: Any) -> None:
    """What browsers, Python and people write is read, on every Python alike."""
    assert reader(form)(text) == value


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize(
    "value", ["", "soon", "2026-13-01", "2026-02-30T00:00:00Z", "25:00", "2026-11-26T15", 5, None]
)
def test_what_is_none_is_refused_with_an_example(form: str, value: Any) -> None:
    """The message says what was expected and how it is written."""
    with pytest.raises((ValueError, TypeError), match=f"a {NAMES[form]} was expected, such as"):
        reader(form)(value)


@given(
    st.sampled_from(sorted(NAMES)),
    st.datetimes(timezones=st.none() | st.timezones()).map(dt.datetime.isoformat)
    | st.dates().map(dt.date.isoformat)
    | st.times().map(dt.time.isoformat)
    | st.uuids().map(str)
    | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?[Zz]?\Z")
    | st.text(max_size=12),
)
def test_both_sides_take_the_same_texts(form: str, text: str) -> None:
    """A text that the server lets through is one that the worker reads, and no other."""
    try:
        reader(form)(text)
        taken = True
    except ValueError:
        taken = False
    assert is_of_form(form, text) is taken


def test_every_form_has_an_example_that_is_one() -> None:
    """Messages show texts that work."""
    assert set(EXAMPLES) == set(NAMES)
    assert all(is_of_form(form, example) for form, (_, example) in EXAMPLES.items())
