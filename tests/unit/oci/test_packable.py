"""What is worth compressing."""

from __future__ import annotations

import itertools
import random

import pytest
from cogyard.oci.packable import LEAST, packable, pieces

NOISE = random.Random(1).randbytes(LEAST)  # noqa: S311 - the same for every run
TEXT = b"def predict(self, text: str) -> str: ...\n" * (LEAST // 41)


@pytest.mark.parametrize(
    ("name", "content", "worth"),
    [
        ("a picture", NOISE, False),
        ("a zip whose first file is stored text", TEXT[: LEAST // 16] + NOISE, False),
        ("source", TEXT, True),
        ("zeros", bytes(LEAST), True),
        ("half a table, half noise", TEXT[: LEAST // 2] + NOISE[: LEAST // 2], True),
        ("sixteen-bit floats with equal exponents", b"".join(b"%c\x3c" % each for each in NOISE), True),
    ],
)
def test_what_compresses_is_found_by_looking_at_parts(name: str, content: bytes, worth: bool) -> None:
    """Four pieces tell, wherever in the file what compresses is."""
    assert packable([content[start:end] for start, end in pieces(len(content))]) is worth, name


@pytest.mark.parametrize("size", [LEAST, LEAST + 1, 10_000_001])
def test_all_pieces_lie_in_the_file(size: int) -> None:
    """Each is a whole piece, and none overlaps another."""
    found = pieces(size)
    assert all(0 < start < end <= size for start, end in found)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(found))
