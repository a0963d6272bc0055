"""Requests that differ from the last one of their connection in nothing but the body: read without parsing the head.

A client that keeps its connection sends the same head with every request, but for the digits of the body's length. What
the parser made of that head then holds for the next one as well, since the same bytes mean the same.
"""

from __future__ import annotations

import re
from mmap import mmap
from typing import NamedTuple

from cog_server.front.exchange import Headers

_LARGEST_HEAD = 4096
_MOST_DIGITS = 9
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,9})(?=\r\n)", re.IGNORECASE)
_ALSO = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade|connection)[ \t]*:|\r\n[ \t]", re.IGNORECASE)


class Head(NamedTuple):
    """A head as its bytes before and after the digits of the length, and as it was parsed."""

    before: bytes
    after: bytes
    digits: bytes
    url: bytes
    headers: Headers

    def match(self, data: bytes) -> tuple[Headers, bytes] | None:
        """Return (headers, body) when `data` is exactly one request with this head, else None."""
        start = len(self.before)
        if not data.startswith(self.before):
            return None
        end = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        digits = data[start:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self.after, end):
            return None
        body = end + len(self.after)
        if len(data) - body != int(digits):
            return None
        if digits == self.digits:
            return self.headers, data[body:]
        headers = [(name, digits if name == b"content-length" else value) for name, value in self.headers]
        return headers, data[body:]


def remember(data: bytes, url: bytes, headers: Headers, body: bytes | mmap) -> Head | None:
    """Return the head of a POST that `data` holds whole and alone, or None when the next may mean something else."""
    end = data.find(_END, 0, _LARGEST_HEAD) + len(_END)
    if end < len(_END) or len(data) - end != len(body) or not data.startswith(b"POST "):
        return None
    head = data[:end]
    lengths = _LENGTH.findall(head)
    if len(lengths) != 1 or sum(name == b"content-length" for name, _ in headers) != 1 or _ALSO.search(head):
        return None
    found = _LENGTH.search(head)
    if found is None or not head.partition(b"\r\n")[0].endswith(b" HTTP/1.1"):
        return None
    return Head(head[: found.start(1)], head[found.end(1) :], found[1], url, headers)
