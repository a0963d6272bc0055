"""The server's own log: how much it says (COG_LOG_LEVEL) and in which form (LOG_FORMAT)."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any, TextIO

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
"""Names of levels, those of Cog's servers among them."""
FORMATS = ("console", "json")
LONGEST = 1 << 16
"""Characters after which a line that does not end is written as it is."""


def set_up(level: str, form: str, stream: TextIO | None = None) -> None:
    """Write the log of `cog_server` to stderr from a level of LEVELS on, in a form of FORMATS."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter("%(message)s"))
    logger = logging.getLogger("cog_server")
    logger.handlers[:] = [handler]
    logger.setLevel(LEVELS[level])
    logger.propagate = False


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what `extra={"fields": …}` holds stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line."""
        found = entry(record.levelname.lower(), record.getMessage(), record.created)
        found.update(getattr(record, "fields", {}))
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return json.dumps(found, ensure_ascii=False)


def entry(level: str, message: str, at: float) -> dict[str, Any]:
    """Return what every line has: time (RFC 3339), level, message. `at` is in seconds of the epoch."""
    moment = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")
    return {"time": moment, "level": level, "message": message}


class JsonLines:
    """Make JSON lines of the model's text, which comes in pieces that end anywhere."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}

    def feed(self, source: str, text: str, at: float) -> str:
        """Return the lines that are whole now, as JSON lines."""
        *whole, rest = (self._open.get(source, "") + text).split("\n")
        if len(rest) > LONGEST:
            whole, rest = [*whole, rest], ""
        self._open[source] = rest
        return "".join(self._line(source, line, at) for line in whole)

    def rest(self, at: float) -> str:
        """Return what never ended in a line's end."""
        left = [self._line(source, text, at) for source, text in self._open.items() if text]
        self._open.clear()
        return "".join(left)

    @staticmethod
    def _line(source: str, text: str, at: float) -> str:
        return json.dumps({**entry("info", text, at), "source": source}, ensure_ascii=False) + "\n"
