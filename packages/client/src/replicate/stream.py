"""Server-sent events: a pure decoder, the event it makes, and the flow that follows a stream to its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from replicate._flow import Answer, Call, Emit, Events, Flow, Open, Pause, Piece
from replicate.errors import ReplicateError, StreamFailed, Unreachable

if TYPE_CHECKING:
    from replicate._run import Ref
    from replicate.client import Client

RECONNECTS = 10
"""How often in a row a stream may break without a new event in between."""
LONGEST_PAUSE = 5.0


class EventType(str, Enum):
    """The events of a prediction's stream."""

    OUTPUT = "output"
    LOGS = "logs"
    ERROR = "error"
    DONE = "done"


_EventType = EventType
_KNOWN = frozenset(kind.value for kind in EventType)


@dataclass(frozen=True)
class ServerSentEvent:
    """One event. `str(event)` is its data when it is output, else nothing, so that events can be printed as text."""

    EventType: ClassVar = EventType

    event: _EventType
    data: Any
    """Text; in a stream of files, an output's is a FileOutput."""
    id: str = ""
    retry: int | None = None

    def __str__(self) -> str:
        """Return the output's text."""
        return str(self.data) if self.event == EventType.OUTPUT else ""

    def dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {**asdict(self), "data": self.data}

    def json(self) -> str:
        """Return the fields as JSON text."""
        return json.dumps({**self.dict(), "event": self.event.value, "data": str(self.data)})


def streams_files(url: str) -> bool:
    """Whether the outputs of the stream at `url` are files: its path says so, since a text may look like an address."""
    return "/files/" in urlsplit(url).path


class Decoder:
    """Make events of a stream's bytes, as they come (the WHATWG event stream format)."""

    def __init__(self, last_id: str = "") -> None:
        """Begin before the first byte, after the event `last_id` of the same stream."""
        self._line_parts: list[bytes] = []
        self._held = b""
        self._event = ""
        self._data: list[str] = []
        self._id = last_id
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
        if event not in _KNOWN:  # an event of a later platform, or none
            return None
        return ServerSentEvent(EventType(event), "\n".join(data), self._id, self._retry)


def follow(url: str, shown: Callable[[ServerSentEvent], ServerSentEvent]) -> Flow[None]:
    """Emit the events of the stream at `url` until it is done, however often the connection breaks.

    A broken stream goes on after the last event that came. Raises StreamFailed when the model failed.
    """
    last_id, breaks = "", 0
    while breaks <= RECONNECTS:
        decoder, came = Decoder(last_id), False
        answer: Answer = yield Open(_request(url, last_id), lasting=True)
        if answer.headers.get("content-type", "").partition(";")[0].strip() != "text/event-stream":
            begun = Answer(answer.status, answer.headers, (yield Piece()))
            raise ReplicateError(title="Not a stream", status=answer.status, detail=begun.shown())
        try:
            while piece := (yield Piece()):
                for event in decoder.feed(piece):
                    last_id, came = event.id, True
                    if event.event == EventType.ERROR:
                        raise StreamFailed(title="The stream ended with an error", detail=event.data)
                    yield Emit(shown(event))
                    if event.event == EventType.DONE:
                        return
        except Unreachable:
            pass
        if came and not last_id:
            break
        breaks = 0 if came else breaks + 1
        yield Pause(min(LONGEST_PAUSE, 0.1 * 2**breaks))
    raise ReplicateError(title="The stream broke", detail=f"{url} ended before it was done.")


def _request(url: str, last_id: str) -> Call:
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    return Call("GET", url, headers=headers | ({"Last-Event-ID": last_id} if last_id else {}))


def stream(
    client: Client, ref: Ref, input: Mapping[str, Any] | None = None, **options: Any
) -> Iterator[ServerSentEvent]:
    """Do as `client.stream` does; under the name of the official client."""
    return client.stream(ref, input, **options)


def async_stream(
    client: Client, ref: Ref, input: Mapping[str, Any] | None = None, **options: Any
) -> Events[ServerSentEvent]:
    """Do as `client.async_stream` does; under the name of the official client."""
    return client.async_stream(ref, input, **options)
