"""Server-sent events: a pure decoder, and the event it makes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar
from urllib.parse import urlsplit


class EventType(str, Enum):
    """The events of a prediction's stream."""

    OUTPUT = "output"
    LOGS = "logs"
    ERROR = "error"
    DONE = "done"


@dataclass(frozen=True)
class ServerSentEvent:
    """One event. `str(event)` is its data when it is output, else nothing, so that events can be printed as text."""

    EventType: ClassVar = EventType

    event: str
    data: Any
    """Text; in a stream of files, an output's is a FileOutput."""
    id: str = ""
    retry: int | None = None

    def __str__(self) -> str:
        """Return the output's text."""
        return str(self.data) if self.event == EventType.OUTPUT else ""


def streams_files(url: str) -> bool:
    """Whether the outputs of the stream at `url` are files: its path says so, since a text may look like an address."""
    return "/files/" in urlsplit(url).path


class Decoder:
    """Make events of a stream's bytes, as they come (the WHATWG event stream format)."""

    def __init__(self) -> None:
        """Begin before the first byte."""
        self._line_parts: list[bytes] = []
        self._held = b""
        self._event = ""
        self._data: list[str] = []
        self._id = ""
        self._retry: int | None = None

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Return the events that `data` completes."""
        # A CR at the end may be the first half of CRLF: leave it for the next bytes.
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        text = data[: len(data) - len(self._held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *others = text.split(b"\n")
        # Of a line that takes many pieces (a file as a data URL) only the newest is looked at.
        self._line_parts.append(first)
        if not others:
            return []
        *lines, rest = [b"".join(self._line_parts), *others]
        self._line_parts = [rest]
        return [event for line in lines if (event := self._line(line.decode("utf-8", "replace"))) is not None]

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) < 10:
            self._retry = int(value)
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        event, data = self._event, self._data
        self._event, self._data = "", []
        if not event and not data:
            return None
        return ServerSentEvent(event or "message", "\n".join(data), self._id, self._retry)
