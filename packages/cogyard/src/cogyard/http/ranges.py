"""Parts of a file, as browsers ask for them to play and to resume."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` (inclusive) to `stop` (exclusive) of a file."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        """Return the Content-Range header."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


class UnsatisfiableError(Exception):
    """The part begins after the end."""


def wanted_part(header: str | None, size: int) -> Part | None:
    """Read a Range header; None is the whole file, also for forms that we do not serve (several parts).

    Raises UnsatisfiableError.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if length == 0:
            raise UnsatisfiableError
        return Part(size - length, size)
    start = int(match[1])
    stop = min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise UnsatisfiableError
    return Part(start, stop)
