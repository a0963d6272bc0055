"""The end of a stream of text, bounded."""

from __future__ import annotations

from collections import deque


class Tail:
    """Keep the last `limit` bytes of what is added, at line ends where possible."""

    def __init__(self, limit: int = 64 << 10) -> None:
        self._limit = limit
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._cut = False

    def add(self, data: bytes) -> None:
        """Add bytes; older ones are forgotten."""
        self._parts.append(data)
        self._size += len(data)
        while self._size > self._limit and self._parts:
            oldest = self._parts.popleft()
            excess = self._size - self._limit
            self._cut = True
            if len(oldest) > excess:
                self._parts.appendleft(oldest[excess:])
                self._size -= excess
            else:
                self._size -= len(oldest)

    def text(self) -> str:
        """Return what is kept, from a line's start when something was forgotten."""
        whole = b"".join(self._parts)
        if self._cut:
            _, newline, rest = whole.partition(b"\n")
            whole = rest if newline else whole
        return whole.decode("utf-8", errors="replace")


def last_lines(text: str, limit: int = 2000) -> str:
    """Return the end of `text`, at most `limit` characters, from a line's start."""
    text = text.rstrip()
    if len(text) <= limit:
        return text
    end = text[-limit:]
    _, newline, rest = end.partition("\n")
    return "…\n" + (rest if newline else end)
