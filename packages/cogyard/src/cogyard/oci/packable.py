"""Whether a file is worth compressing: wheels, pictures and most weights are compressed already.

Deflating one takes fifty times as long as hashing it, for a few hundredths of its size, at every edit of a file beside
it. What is looked at depends on the content alone, so the same files make the same layer on every machine.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

#: Files below this are always compressed: that takes no time.
LEAST = 64 << 10
#: Where a file is looked at, in sixteenths of it: its beginning often has a directory or a header in plain text.
_PLACES = (1, 5, 9, 13)
_PIECE = 8 << 10
#: What compressing must save of the pieces: a sixteenth.
_SAVED = 16


def pieces(size: int) -> list[tuple[int, int]]:
    """Return which parts of a file of `size` bytes to look at: from, to."""
    return [(start, start + _PIECE) for start in (size * place // 16 for place in _PLACES)]


def packable(looked_at: Iterable[bytes]) -> bool:
    """Say whether compressing saves anything worth the time, going by pieces of the file."""
    sample = b"".join(looked_at)
    return len(zlib.compress(sample, 1)) <= len(sample) - len(sample) // _SAVED
