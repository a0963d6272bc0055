"""A log on a page reads as it would in a terminal, and nothing in it acts."""

from __future__ import annotations

import time

import pytest
from cogyard.web.terminal import shown
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("plain\nlines\r\nof text\tand tabs", "plain\nlines\nof text\tand tabs"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%|#  |\r50%|## |\r100%|###|\ndone", "100%|###|\ndone"),
        ("long line\rshort", "shortline"),
        ("abc\b\bX", "aX"),
        ("half an escape\x1b[", "half an escape"),
        ("\x00\x07\x9b", ""),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("<script>", "<script>"),
    ],
)
def test_what_is_left(printed: str, read: str) -> None:
    """Colours, titles, links and overwritten lines are gone; text stays."""
    assert shown(printed) == read


@given(st.text(st.sampled_from("\x1b[]0;mA\x07\\\r\b\n\u202e\x9b x"), max_size=80))
def test_nothing_that_acts_is_left(printed: str) -> None:
    """Whatever is printed, no control character but tab and line feed reaches a page."""
    assert not {char for char in shown(printed) if ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0} - {
        "\n",
        "\t",
    }


def test_a_long_log_is_read_in_a_moment() -> None:
    """A megabyte of escapes, or of one line that is written over again and again, is no attack."""
    began = time.process_time()
    floods = ("\x1b]", "\x1b[", "x\r", "\b", "\x1b]0;aaaa", "\x1b[" + "0" * 70)
    for hostile in (*(each * 200_000 for each in floods), "x" * 500_000 + "\ry" * 500_000):
        shown(hostile)
    assert time.process_time() - began < 20
