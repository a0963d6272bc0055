"""Byte ranges, both ways."""

from __future__ import annotations

import pytest
from cogyard.registry.errors import BlobUploadInvalidError, RangeInvalidError
from cogyard.registry.ranges import held, sent, wanted
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=5-9", (5, 10)),
        ("bytes=5-", (5, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=0-1,5-6", None),
        ("bytes=9-5", None),
        ("bytes=-", None),
        ("items=0-1", None),
        ("nonsense", None),
        ("bytes=5-" + "9" * 30, (5, 100)),
        ("bytes=5-" + "9" * 5000, (5, 100)),
        ("bytes=-" + "9" * 5000, (0, 100)),
        ("bytes=" + "0" * 5000 + "5-" + "0" * 30 + "9", (5, 10)),
        ("bytes=" + "9" * 30 + "-" + "9" * 29, None),
        ("BYTES=5-9", (5, 10)),
        ("bytes=٣-٤", None),
    ],
)
def test_a_wanted_range_is_read_as_http_has_it(header: str | None, part: tuple[int, int] | None) -> None:
    """Unknown forms mean the whole content."""
    assert wanted(header, 100) == part


def test_only_a_get_has_parts_and_nothing_has_none() -> None:
    """HEAD tells of the whole, and all of an empty blob is the whole."""
    assert wanted("bytes=5-9", 100, method="HEAD") is None
    assert wanted("bytes=-5", 0) is None


_BEYOND = (
    "bytes=100-",
    "bytes=200-300",
    "bytes=-0",
    *(f"bytes={'9' * digits}-" for digits in (18, 19, 20, 21, 5000)),
)


@pytest.mark.parametrize("header", _BEYOND)
def test_a_range_beyond_the_end_is_refused(header: str) -> None:
    """The refusal tells the size; a number of more digits than any file has bytes is beyond the end as well."""
    with pytest.raises(RangeInvalidError) as caught:
        wanted(header, 100)
    assert caught.value.headers["Content-Range"] == "bytes */100"


@given(st.text(max_size=40), st.integers(min_value=0, max_value=10**12))
def test_no_header_gives_bytes_outside_the_blob(header: str, size: int) -> None:
    """Whatever a client sends, what is read lies within the blob."""
    try:
        part = wanted(f"bytes={header}", size)
    except RangeInvalidError:
        return
    if part is not None:
        assert 0 <= part[0] < part[1] <= size


def test_a_sent_range_is_offset_and_length() -> None:
    """With or without the unit and the total, since clients differ."""
    assert sent(None) is None
    assert sent("0-0") == (0, 1)
    assert sent("10-19") == (10, 10)
    assert sent("bytes 10-19/*") == (10, 10)
    assert sent("bytes 10-19/100") == (10, 10)


@pytest.mark.parametrize(
    "header", ["", "5", "9-5", "a-b", "-5", "5-", "0-1-2", "٣-٤", "9" * 30 + "-" + "9" * 31]
)
def test_a_sent_range_of_another_form_is_refused(header: str) -> None:
    """A piece whose place is unclear is not guessed at."""
    with pytest.raises(BlobUploadInvalidError):
        sent(header)


def test_what_is_held_is_told_with_the_end_included() -> None:
    """Nothing is told as 0-0, as other registries do."""
    assert [held(0), held(1), held(10)] == ["0-0", "0-0", "0-9"]
