"""Pass the model's text on to our own stdout and stderr without ever waiting for who reads them.

A log collector that stalls fills its pipe, and a write to a full pipe blocks. The event loop must not stand still for
that, so a thread writes; when it is far behind, text is dropped and counted.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time

from cog_server.logs import JsonLines

_WAITING = 10_000
"""Pieces of text that may wait to be written."""
_CLOSE_SECONDS = 1.0


class Echo:
    """Write text in a thread; call it as `on_log(source, text)`, then `close()`."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._lines = JsonLines() if as_json else None
        self._queue: queue.Queue[tuple[str, str] | None] = queue.Queue(_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="cog-echo", daemon=True)
        self._started = False

    def __call__(self, source: str, text: str) -> None:
        """Have `text` written to the stream called `source`."""
        if not self._started:
            self._started = True
            self._thread.start()
        try:
            if self._dropped:
                self._queue.put_nowait(
                    ("stderr", f"[{self._dropped} pieces of the model's logs were dropped]\n")
                )
                self._dropped = 0
            self._queue.put_nowait((source, text))
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, for a second at most."""
        if self._started:
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(None)
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            source, text = item
            if self._lines is None:
                _write(source, text)
            elif lines := self._lines.feed(source, text, time.time()):
                _write(source, lines)
        if self._lines is not None and (lines := self._lines.rest(time.time())):
            _write("stdout", lines)


def _write(source: str, text: str) -> None:
    stream = sys.stderr if source == "stderr" else sys.stdout
    with contextlib.suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()
