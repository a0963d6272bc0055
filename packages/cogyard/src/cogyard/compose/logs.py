"""What the platform logs: an event name and fields, one line each, to stderr.

Values come from strangers (names, addresses, messages), so in a line for people they are quoted whenever they hold
anything but plain characters: nobody forges a line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import IO, Any

#: What every record has; all else in it are the event's fields.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
#: What follows these is a secret.
_CAPABILITY = re.compile(
    r"^(/delivery/|/internal/[a-z]+/|/signin/link/|(?:/v1)*/streams/|(?:/v1)*/files/).*", re.IGNORECASE
)
_SLASHES = re.compile(r"/{2,}")
_PLAIN = re.compile(r"[\w.:/@+%-]+")
#: Libraries that say more at `info` than an operator wants to read.
_QUIETER = ("httpx2", "httpcore2", "asyncio", "uvicorn.error", "python_multipart")


def configure(*, level: str, style: str, access_log: bool, stream: IO[str] | None = None) -> None:
    """Send the logs of this process to stderr (or `stream`) as `text` or `json`, from `level` on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIETER:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    requests = logging.getLogger("uvicorn.access")
    requests.setLevel(logging.INFO if access_log else logging.WARNING)
    requests.filters = [Requests()]
    # uvicorn's own configuration, once loaded in this process, would print these lines by itself.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True


class Requests(logging.Filter):
    """Turns uvicorn's access lines into events, without what must not be logged.

    Some addresses *are* the right to what is behind them: files, streams, sign-in links, leases.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record in place; always let it pass."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, target, _, status = record.args
            record.msg, record.args = "request", ()
            # Of a client that a proxy speaks of no port is known.
            client = str(client).removesuffix(":0")
            fields = {"method": method, "path": shown_path(str(target)), "status": status, "client": client}
            vars(record).update(fields)
        return True


def shown_path(target: str) -> str:
    """Return a request's path as it may be logged: no query, and no capability."""
    # Whoever joins an address with a slash too many asks for nothing that is there, by a secret that is one.
    return _CAPABILITY.sub(r"\1…", _SLASHES.sub("/", target.partition("?")[0]))


class TextLines(logging.Formatter):
    """`10:15:02 info instance_starting instance=… version=…`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and the traceback below it when there is one."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        words = [f"{moment:%H:%M:%S}", record.levelname.lower(), _quoted(record.getMessage(), spaces=True)]
        words += [f"{name}={_quoted(value)}" for name, value in fields_of(record).items()]
        return "\n".join([" ".join(words), *_traceback(self, record)])


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; a traceback is a field."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if trace := _traceback(self, record):
            entry["traceback"] = trace[0]
        return json.dumps(entry, default=str)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what was given as `extra`, without what is empty."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and value not in ("", None)
    }


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    return [formatter.formatException(record.exc_info)] if record.exc_info else []


def _quoted(value: Any, *, spaces: bool = False) -> str:
    text = str(value)
    plain = text.replace(" ", "") if spaces else text
    return text if not plain or _PLAIN.fullmatch(plain) else json.dumps(text, ensure_ascii=False)
