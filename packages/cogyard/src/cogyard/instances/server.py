"""The port to a running model server, and its adapter over HTTP (spec/model-http.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import msgspec

from cogyard.instances.errors import NotAcceptedError, ServerLostError
from cogyard.instances.events import CompletedEvent, LogEvent, ServerEvent, read_event
from cogyard.instances.frames import Frames
from cogyard.instances.limits import MOST_SLOTS
from cogyard.instances.lines import Line, Lines

PREDICTIONS, TRAININGS = "predictions", "trainings"
#: A server that says nothing for this long is stuck: it sends a comment every 15 s.
_SILENCE = 60.0
#: One value that a model yields, or a whole output, as JSON.
_MAX_EVENT = 256 << 20
#: How long the answer may stay open after its last event.
_AFTER_END = 1.0
#: How Cog's server says that its author did not mark the model for events.
_NO_EVENTS = 406
#: What is not a prediction's end: a state of health with what setup() printed, a refusal.
_MAX_SMALL = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What `/health-check` answers: a status word, and what setup() printed."""

    status: str
    setup_logs: str = ""
    #: The signal that ended setup(), where one did.
    setup_signal: int | None = None
    #: How many predictions it runs at once; None from a server that does not tell (Cog's).
    slots: int | None = None

    @property
    def ready(self) -> bool:
        """Whether it takes predictions."""
        return self.status in {"READY", "BUSY"}

    @property
    def broken(self) -> bool:
        """Whether it never will again."""
        return self.status in {"SETUP_FAILED", "DEFUNCT"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One prediction as the model server is asked for it."""

    id: str
    input: Mapping[str, Any]
    created_at: str | None = None
    output_file_prefix: str | None = None
    #: Where it is asked for: `predictions` or `trainings`.
    room: str = PREDICTIONS
    #: Headers that say which trace it is part of.
    trace: Mapping[str, str] = field(default_factory=dict)


class ModelServer(Protocol):
    """A model server that was started, ready or not."""

    async def health(self) -> Health | None:
        """Ask how it is; None when it does not answer (yet)."""
        ...

    def predict(self, run: Run) -> AsyncIterator[ServerEvent]:
        """Run a prediction; the last event is a CompletedEvent.

        Raises NotAcceptedError when the model never saw it, ServerLostError when the end is unknown.
        """
        ...

    async def cancel(self, prediction_id: str, *, room: str = PREDICTIONS) -> None:
        """Ask that a prediction or a training stop; nothing happens when it is not there."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class _Setup(msgspec.Struct):
    logs: str | None = None
    signal: int | None = None


class _Whole(msgspec.Struct):
    logs: str | None = None


class _HealthCheck(msgspec.Struct):
    status: str
    setup: _Setup | None = None
    slots: Annotated[int, msgspec.Meta(ge=1, le=MOST_SLOTS)] | None = None


class HttpModelServer:
    """Speak to a model server at `unix:PATH` or `http://HOST:PORT`."""

    def __init__(self, address: str) -> None:
        self._lines = Lines(address)
        #: Whether it answers whole only.
        self._plain = False

    async def health(self) -> Health | None:
        """Ask how it is; None when it does not answer (yet)."""
        try:
            answer = msgspec.json.decode(await self._ask("GET", "/health-check"), type=_HealthCheck)
        except (OSError, ValueError):
            return None
        setup = answer.setup or _Setup()
        return Health(
            status=answer.status,
            setup_logs=setup.logs or "",
            setup_signal=setup.signal,
            slots=answer.slots,
        )

    async def predict(self, run: Run) -> AsyncIterator[ServerEvent]:
        """Run a prediction by `PUT /predictions/{id}`, or a training by `PUT /trainings/{id}`, and yield its events."""
        body: dict[str, Any] = {"input": run.input}
        if run.created_at:
            body["created_at"] = run.created_at
        if run.output_file_prefix:
            body["output_file_prefix"] = run.output_file_prefix
        content = msgspec.json.encode(body)
        while True:
            # Cog's server streams only what its author marked for it; of the rest it tells the end.
            plain = self._plain
            try:
                line = await self._lines.take()
            except OSError as error:
                raise NotAcceptedError("The model server does not take connections.") from error
            linger = 0.0
            try:
                accept = "application/json" if plain else "text/event-stream"
                line.ask(
                    self._request("PUT", f"/{run.room}/{run.id}", content, accept, run.trace),
                    silence=None if plain else _SILENCE,
                )
                status = await line.status()
                self._plain = plain or status == _NO_EVENTS
                if self._plain is plain:
                    async for event in _answer(line, status):
                        if isinstance(event, CompletedEvent):
                            linger = _AFTER_END
                        yield event
                    return
                await line.body(_MAX_SMALL)
            except (OSError, ValueError) as error:
                what = "broke off in the middle of" if line.begun else "did not answer"
                raise ServerLostError(
                    f"The model server {what} a prediction ({type(error).__name__})."
                ) from error
            finally:
                line.leave(linger=linger)

    async def cancel(self, prediction_id: str, *, room: str = PREDICTIONS) -> None:
        """Ask that a prediction or a training stop; a server that is gone has stopped it too."""
        with suppress(OSError, ValueError):
            await self.post(f"/{room}/{prediction_id}/cancel")

    async def post(self, path: str) -> None:
        """Send a request that has no body. Raises OSError, or ValueError for an answer that is too large."""
        await self._ask("POST", path)

    async def aclose(self) -> None:
        """Close connections."""
        self._lines.close()

    async def _ask(self, method: str, path: str) -> bytes:
        """Return the body of an answer, whatever its status."""
        line = await self._lines.take()
        try:
            line.ask(self._request(method, path), silence=_SILENCE)
            await line.status()
            return await line.body(_MAX_SMALL)
        finally:
            line.leave()

    def _request(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        accept: str = "*/*",
        trace: Mapping[str, str] | None = None,
    ) -> bytes:
        more = "".join(f"{name}: {value}\r\n" for name, value in trace.items()) if trace else ""
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self._lines.host}\r\naccept: {accept}\r\n{more}"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content


async def shut_down(address: str) -> None:
    """Ask a model server to finish what it runs and end; one that does not answer is let be."""
    server = HttpModelServer(address)
    with suppress(OSError, ValueError):
        await server.post("/shutdown")
    await server.aclose()


async def _answer(line: Line, status: int) -> AsyncIterator[ServerEvent]:
    """Yield what a server answers: its events, or, when it tells only the end, the logs and the end."""
    if status != 200:
        yield _refusal(status, await line.body(_MAX_SMALL))
        return
    if line.media_type != "text/event-stream":
        data = await line.body(_MAX_EVENT)
        whole = msgspec.json.decode(data, type=_Whole)
        if whole.logs:
            yield LogEvent(text=whole.logs)
        end = read_event("completed", data)
        if end is not None:
            yield end
        return
    frames = Frames(_MAX_EVENT)
    while piece := await line.piece():
        for name, data in frames.feed(piece):
            event = read_event(name, data)
            if event is not None:
                yield event
            if isinstance(event, CompletedEvent):
                return
    raise ServerLostError("The model server ended the answer before the prediction was complete.")


def _refusal(status: int, content: bytes) -> CompletedEvent:
    """Turn a refusal into the prediction's end, or say that it was not taken."""
    detail = _detail(content)
    if status in {409, 429, 503}:
        raise NotAcceptedError(f"The model server did not take the prediction: {detail}")
    return CompletedEvent(status="failed", error=detail)


def _detail(content: bytes) -> str:
    """Say in one line why a request was refused; both shapes of spec/model-http.md."""
    try:
        detail = msgspec.json.decode(content)["detail"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return "the model server refused the prediction without a reason"
    if isinstance(detail, list):
        return "; ".join(_problem(item) for item in detail if isinstance(item, dict))
    return str(detail)


def _problem(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in item.get("loc", ()) if part != "body")
    return f"{where}: {item.get('msg', 'is not valid')}"
