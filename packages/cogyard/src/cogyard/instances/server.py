"""The port to a running model server, and its adapter over HTTP (spec/model-http.md)."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
import msgspec

from cogyard.instances.errors import NotAcceptedError, ServerLostError
from cogyard.instances.events import CompletedEvent, LogEvent, ServerEvent, read_event

PREDICTIONS, TRAININGS = "predictions", "trainings"
#: A server that says nothing for this long is stuck: it sends a comment every 15 s.
_SILENCE = 60.0
#: One value that a model yields, or a whole output, as JSON.
_MAX_EVENT = 256 << 20
#: How long the answer may stay open after its last event.
_AFTER_END = 1.0
#: How Cog's server says that its author did not mark the model for events.
_NO_EVENTS = 406
_MAX_HEALTH = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What `/health-check` answers: a status word, and what setup() printed."""

    status: str
    setup_logs: str = ""
    #: The signal that ended setup(), where one did.
    setup_signal: int | None = None

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


class HttpModelServer:
    """Speak to a model server at `unix:PATH` or `http://HOST:PORT`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: httpx2.AsyncClient | None = None
        self._held: int | None = None
        #: Whether it answers whole only.
        self._plain = False

    async def health(self) -> Health | None:
        """Ask how it is; None when it does not answer (yet)."""
        try:
            response = await self._open().get("/health-check")
            answer = msgspec.json.decode(response.content[:_MAX_HEALTH], type=_HealthCheck)
        except (httpx2.HTTPError, msgspec.DecodeError, OSError):
            return None
        setup = answer.setup or _Setup()
        return Health(status=answer.status, setup_logs=setup.logs or "", setup_signal=setup.signal)

    async def predict(self, run: Run) -> AsyncIterator[ServerEvent]:
        """Run a prediction by `PUT /predictions/{id}`, or a training by `PUT /trainings/{id}`, and yield its events."""
        body: dict[str, Any] = {"input": run.input}
        if run.created_at:
            body["created_at"] = run.created_at
        if run.output_file_prefix:
            body["output_file_prefix"] = run.output_file_prefix
        sent = False
        try:
            if not self._plain:
                async with self._asked(run, body, "text/event-stream", _SILENCE) as response:
                    sent = True
                    self._plain = response.status_code == _NO_EVENTS
                    if not self._plain:
                        async for event in _answer(response):
                            yield event
                        return
            # Cog's server streams only what its author marked for it; of the rest it tells the end.
            async with self._asked(run, body, "application/json", None) as response:
                sent = True
                async for event in _answer(response):
                    yield event
        except httpx2.ConnectError as error:
            raise NotAcceptedError("The model server does not take connections.") from error
        except OSError as error:
            raise NotAcceptedError("The model server does not listen yet.") from error
        except (httpx2.HTTPError, ValueError) as error:
            what = "broke off in the middle of" if sent else "did not answer"
            raise ServerLostError(
                f"The model server {what} a prediction ({type(error).__name__})."
            ) from error

    def _asked(
        self, run: Run, body: Mapping[str, Any], accept: str, silence: float | None
    ) -> AbstractAsyncContextManager[httpx2.Response]:
        return self._open().stream(
            "PUT",
            f"/{run.room}/{run.id}",
            content=msgspec.json.encode(body),
            headers={"content-type": "application/json", "accept": accept},
            timeout=httpx2.Timeout(5.0, read=silence),
        )

    async def cancel(self, prediction_id: str, *, room: str = PREDICTIONS) -> None:
        """Ask that a prediction or a training stop; a server that is gone has stopped it too."""
        with suppress(httpx2.HTTPError):
            await self.post(f"/{room}/{prediction_id}/cancel")

    async def post(self, path: str) -> None:
        """Send a request that has no body; raise httpx2.HTTPError."""
        try:
            await self._open().post(path)
        except OSError as error:
            raise httpx2.ConnectError("it does not listen yet") from error

    async def aclose(self) -> None:
        """Close connections."""
        if self._client is not None:
            await self._client.aclose()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _open(self) -> httpx2.AsyncClient:
        """Return the client; made at the first call that finds a socket. Raises OSError when there is none (yet)."""
        if self._client is None:
            path = self._address.removeprefix("unix:") if self._address.startswith("unix:") else None
            if path is not None and sys.platform == "linux":
                # The folder may be a container's to write to: what lies there now is what will be spoken to, and never
                # what a link names.
                self._held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
                if not stat.S_ISSOCK(os.fstat(self._held).st_mode):
                    os.close(self._held)
                    self._held = None
                    raise FileNotFoundError(path)
                path = f"/proc/self/fd/{self._held}"
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60)
            self._client = httpx2.AsyncClient(
                transport=httpx2.AsyncHTTPTransport(uds=path, trust_env=False, limits=limits),
                base_url="http://model" if path else self._address,
                timeout=httpx2.Timeout(5.0, read=_SILENCE),
                trust_env=False,
            )
        return self._client


async def shut_down(address: str) -> None:
    """Ask a model server to finish what it runs and end; one that does not answer is let be."""
    server = HttpModelServer(address)
    with suppress(httpx2.HTTPError):
        await server.post("/shutdown")
    await server.aclose()


async def _answer(response: httpx2.Response) -> AsyncIterator[ServerEvent]:
    """Yield what a server answers: its events, or, when it tells only the end, the logs and the end."""
    if response.status_code != 200:
        yield await _refusal(response)
        return
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        data = await response.aread()
        whole = msgspec.json.decode(data, type=_Whole)
        if whole.logs:
            yield LogEvent(text=whole.logs)
        end = read_event("completed", data.decode("utf-8", errors="replace"))
        if end is not None:
            yield end
        return
    async with aclosing(_events(response)) as events:
        async for event in events:
            if isinstance(event, CompletedEvent):
                # Read to the answer's end, so that the connection serves the next prediction too.
                await _exhaust(events)
                yield event
                return
            yield event
    raise ServerLostError("The model server ended the answer before the prediction was complete.")


async def _events(response: httpx2.Response) -> AsyncGenerator[ServerEvent]:
    async for message in httpx2.EventSource(response, max_event_size=_MAX_EVENT):
        event = read_event(message.event, message.data)
        if event is not None:
            yield event


async def _exhaust(events: AsyncGenerator[ServerEvent]) -> None:
    """Read what follows the last event, for at most a moment; nothing there can change the outcome."""
    with suppress(TimeoutError, httpx2.HTTPError, ValueError):
        async with asyncio.timeout(_AFTER_END):
            async for _ in events:
                pass


async def _refusal(response: httpx2.Response) -> CompletedEvent:
    """Turn a refusal into the prediction's end, or say that it was not taken."""
    await response.aread()
    detail = _detail(response.content)
    if response.status_code in {409, 429, 503}:
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
