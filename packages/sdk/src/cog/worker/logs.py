"""Whose line is it: attributing print() of concurrent predictions by context.

sys.stdout and sys.stderr are replaced once, before the author's code is loaded. What a prediction's own context
writes goes to the server as LOG frames; everything else goes where it always went.
"""

from __future__ import annotations

import contextvars
import io
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast

from cog.worker.frames import encode_log

STDOUT, STDERR = 1, 2

#: Text without a line's end is sent when it is this long, or flushed.
LONGEST_LINE = 8192


class PredictionText:
    """The text of one prediction, sent line by line."""

    __slots__ = ("_lock", "_parts", "_send", "_tag", "closed")

    def __init__(self, tag: int, send: Callable[[bytes], None]) -> None:
        self._tag = tag
        self._send = send
        self._parts = {STDOUT: "", STDERR: ""}
        self._lock = threading.Lock()  # threads of asyncio.to_thread() print with the same context
        self.closed = False

    def write(self, source: int, text: str) -> None:
        """Send whole lines, hold the rest back."""
        with self._lock:
            held = self._parts[source] + text
            end = max(held.rfind("\n"), held.rfind("\r")) + 1
            if len(held) - end > LONGEST_LINE:
                end = len(held)
            self._parts[source] = held[end:]
        if end:
            self._send(encode_log(self._tag, source, held[:end]))

    def flush(self, source: int) -> None:
        """Send what is held back."""
        with self._lock:
            held, self._parts[source] = self._parts[source], ""
        if held:
            self._send(encode_log(self._tag, source, held))

    def close(self) -> None:
        """Send everything; what is written later (by a task left behind) goes to the worker's own output."""
        self.flush(STDOUT)
        self.flush(STDERR)
        self.closed = True


_text: contextvars.ContextVar[PredictionText | None] = contextvars.ContextVar("cog_text", default=None)


def attribute(tag: int, send: Callable[[bytes], None]) -> PredictionText:
    """Attribute what this context prints from now on to the prediction `tag`."""
    text = PredictionText(tag, send)
    _text.set(text)
    return text


def install() -> tuple[TextIO, TextIO]:
    """Put attributing streams in place of sys.stdout and sys.stderr; return those."""
    ours = (_stream(sys.stdout, STDOUT), _stream(sys.stderr, STDERR))
    sys.stdout, sys.stderr = ours
    return ours


def uninstall(ours: tuple[TextIO, TextIO]) -> None:
    """Put the streams behind back, unless the author has put others there."""
    if sys.stdout is ours[0]:
        sys.stdout = sys.__stdout__
    if sys.stderr is ours[1]:
        sys.stderr = sys.__stderr__


def _stream(stream: TextIO, source: int) -> TextIO:
    return cast("TextIO", AttributingStream(stream, source))


class AttributingStream(io.TextIOBase):
    """A text stream that asks on every write whose text it is."""

    def __init__(self, stream: TextIO, source: int) -> None:
        super().__init__()
        self._stream = stream
        self._source = source

    def write(self, text: str, /) -> int:
        """Write for the running prediction, or to the stream behind."""
        current = _text.get()
        if current is None or current.closed:
            return self._stream.write(text)
        current.write(self._source, text)
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override]
        """Write every line."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Send what is held back."""
        current = _text.get()
        if current is not None and not current.closed:
            current.flush(self._source)
        self._stream.flush()

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def fileno(self) -> int:
        """Return the descriptor behind."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Say whether a terminal is behind."""
        return self._stream.isatty()

    def close(self) -> None:
        """Leave the stream open: other predictions print as well."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding of the stream behind."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """Return how the stream behind treats what it can't encode."""
        return self._stream.errors

    def __getattr__(self, name: str) -> Any:
        # buffer, reconfigure, name, mode: as the stream behind has them.
        return getattr(self._stream, name)
