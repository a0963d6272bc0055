"""Large data URLs, cut out of a request's body before it is read as JSON.

Theory of operation: reading 7 MB of base64 as a JSON string, to make a file of it, costs several copies. So a body is
searched for base64 data URLs first. Each that is large and valid is replaced by a short one that no client can guess,
and its letters, still in the body, become the file later, piece by piece in a thread. Whatever is unusual (an escape, a
line break, an odd alphabet, a URL where the model takes no file) is not cut: the ordinary way reads it or says what is
wrong with it.
"""

from __future__ import annotations

import re
import secrets
from mmap import mmap
from pathlib import Path

import pybase64

from cog_server.names import suffix_of

SMALLEST = 256 * 1024
"""Characters from which cutting pays."""
_PIECE = 128 * 1024
"""Characters decoded at a time: a multiple of four, and so few that malloc need not ask the system for the result."""
_HEADER = re.compile(rb'"data:([ -!#-+\--\[\]-~]{0,200});base64,')


class Cut:
    """One data URL that was cut out."""

    __slots__ = ("_letters", "_suffix")

    def __init__(self, letters: memoryview, media_type: str) -> None:
        self._letters = letters
        self._suffix = suffix_of(media_type)

    def store(self, folder: Path) -> Path:
        """Write the file it holds, once, and return where; for a thread."""
        letters, self._letters = self._letters, memoryview(b"")
        path = folder / f"input{self._suffix}"
        with path.open("wb", buffering=0) as file:
            for at in range(0, len(letters), _PIECE):
                piece = memoryview(pybase64.b64decode(letters[at : at + _PIECE], validate=True))
                while piece:  # a disk that gets full takes a part, and says why only when asked again
                    piece = piece[file.write(piece) :]
        return path


class Cuts:
    """A body without its large data URLs, and those."""

    def __init__(self, body: bytes | mmap) -> None:
        """Cut; `slim` is empty when there is nothing to cut."""
        self._mark = f"data:;cut={secrets.token_hex(16)},"
        self._body = body
        self._cuts: list[Cut] = []
        self._urls: list[memoryview] = []
        parts: list[bytes] = []
        begun = at = 0
        while (at := body.find(b'"data:', at)) >= 0:
            end = body.find(b'"', at + 1)
            if end - at >= SMALLEST and self._cut(at, end):
                parts += (body[begun : at + 1], f"{self._mark}{len(self._cuts) - 1}".encode())
                begun = end
            at = at + 1 if end < 0 else end
        self.slim = b"".join([*parts, body[begun:]]) if parts else b""

    def __len__(self) -> int:
        return len(self._cuts)

    def find(self, value: object) -> Cut | None:
        """Return what was cut out where `value` stands now."""
        if isinstance(value, str) and value.startswith(self._mark):
            return self._cuts[int(value[len(self._mark) :])]
        return None

    def restore(self, raw: bytes) -> bytes | memoryview:
        """Return a part of `slim` that holds all cuts as it was in the body; a view of the body if possible."""
        at = self.slim.find(raw)
        if self.slim.find(raw, at + 1) < 0:
            return memoryview(self._body)[at : len(self._body) - (len(self.slim) - at - len(raw))]
        text, *rest = re.split(re.escape(self._mark.encode()) + rb"([0-9]+)", raw)
        parts: list[bytes | memoryview] = [text]
        for number, following in zip(rest[::2], rest[1::2], strict=True):
            parts += (self._urls[int(number)], following)
        return b"".join(parts)

    def _cut(self, start: int, end: int) -> bool:
        """Cut the string from the quote at `start` to the one at `end` out, if it can be nothing but a data URL."""
        body = self._body
        header = _HEADER.match(body, start, end)
        if header is None or body[start - 1 : start] == b"\\":
            return False
        first = header.end()
        if (end - first) % 4 or 0 <= body.find(b"=", first, end) < end - 2:
            return False
        letters = memoryview(body)[first:end]
        try:
            for at in range(0, len(letters), _PIECE):
                pybase64.b64decode(letters[at : at + _PIECE], validate=True)
        except ValueError:
            return False
        media_type = header[1].decode("ascii").partition(";")[0].strip().lower()
        self._cuts.append(Cut(letters, media_type or "text/plain"))
        self._urls.append(memoryview(body)[start + 1 : end])
        return True
