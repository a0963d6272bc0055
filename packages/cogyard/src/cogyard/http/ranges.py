"""Parts of files and blobs, as clients ask for them to play and to resume. Pure.

What RFC 9110 (14.1, 14.2) wants: a number may have any number of digits, so that one beyond every file is no other
form; an end beyond the file is the file's end; what has its end before its start, several parts and other units mean
the whole; units are the same in capitals; and only a GET has parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE | re.ASCII)
# No file is as large, and Python reads numbers of no more than a few thousand digits.
_DIGITS = 40


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


def wanted_part(header: str | None, size: int, *, method: str = "GET") -> Part | None:
    """Read a Range header; None is the whole file, also for forms that we do not serve (several parts).

    Raises UnsatisfiableError.
    """
    match = _RANGE.fullmatch(header.strip()) if header and method == "GET" else None
    if match is None or not (match[1] or match[2]):
        return None
    first, last = (each.lstrip("0") or each[:1] for each in match.groups())
    if not first:
        return _end(_number(last), size)
    if last and (len(last), last) < (len(first), first):
        return None
    start = _number(first)
    if start >= size:
        raise UnsatisfiableError
    return Part(start, min(_number(last) + 1, size) if last else size)


def _end(length: int, size: int) -> Part | None:
    if length == 0:
        raise UnsatisfiableError
    # All of an empty file: that can be said only as a whole.
    return Part(max(0, size - length), size) if size else None


def _number(digits: str) -> int:
    return int(digits) if len(digits) < _DIGITS else 10**_DIGITS
