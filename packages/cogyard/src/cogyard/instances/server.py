"""The port to a running model server, and its adapter over HTTP (spec/model-http.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
import msgspec

from cogyard.instances.errors import NotAcceptedError, ServerLostError
from cogyard.instances.events import CompletedEvent, ServerEvent, read_event

PREDICTIONS, TRAININGS = "predictions", "trainings"
#: A server that says nothing for this long is stuck: it sends a comment every 15 s.
_SILENCE = 60.0
#: One value that a model yields, or a whole output, as JSON.
_MAX_EVENT = 256 << 20
#: How long the answer may stay open after its last event.
_AFTER_END = 1.0
_MAX_HEALTH = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What `/health-check` answers: a status word, and what setup() printed."""

    status: str
    setup_logs: str = ""

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


class _HealthCheck(msgspec.Struct):
    status: str
    setup: _Setup | None = None


class HttpModelServer:
    """Speak to a model server at `unix:PATH` or `http://HOST:PORT`."""

    def __init__(self, address: str) -> None:
        unix = address.removeprefix("unix:") if address.startswith("unix:") else None
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60)
        self._client = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=unix, trust_env=False, limits=limits),
            base_url="http://model" if unix else address,
            timeout=httpx2.Timeout(5.0, read=_SILENCE),
            trust_env=False,
        )

    async def health(self) -> Health | None:
        """Ask how it is; None when it does not answer (yet)."""
        try:
            response = await self._client.get("/health-check")
            answer = msgspec.json.decode(response.content[:_MAX_HEALTH], type=_HealthCheck)
        except (httpx2.HTTPError, msgspec.DecodeError):
            return None
        return Health(status=answer.status, setup_logs=(answer.setup and answer.setup.logs) or "")

    async def predict(self, run: Run) -> AsyncIterator[ServerEvent]:
        """Run a prediction by `PUT /predictions/{id}`, or a training by `PUT /trainings/{id}`, and yield its events."""
        body: dict[str, Any] = {"input": run.input}
        if run.created_at:
            body["created_at"] = run.created_at
        if run.output_file_prefix:
            body["output_file_prefix"] = run.output_file_prefix
        request = self._client.stream(
            "PUT",
            f"/{run.room}/{run.id}",
            content=msgspec.json.encode(body),
            headers={"content-type": "application/json", "accept": "text/event-stream"},
        )
        sent = False
        try:
            async with request as response:
                sent = True
                if response.status_code != 200:
                    yield await _refusal(response)
                    return
                async with aclosing(_events(response)) as events:
                    async for event in events:
                        if isinstance(event, CompletedEvent):
                            # Read to the answer's end, so that the connection serves the next prediction too.
                            await _exhaust(events)
                            yield event
                            return
                        yield event
        except httpx2.ConnectError as error:
            raise NotAcceptedError("The model server does not take connections.") from error
        except (httpx2.HTTPError, ValueError) as error:
            what = "broke off in the middle of" if sent else "did not answer"
            raise ServerLostError(
                f"The model server {what} a prediction ({type(error).__name__})."
            ) from error
        raise ServerLostError("The model server ended the answer before the prediction was complete.")

    async def cancel(self, prediction_id: str, *, room: str = PREDICTIONS) -> None:
        """Ask that a prediction or a training stop; a server that is gone has stopped it too."""
        with suppress(httpx2.HTTPError):
            await self.post(f"/{room}/{prediction_id}/cancel")

    async def post(self, path: str) -> None:
        """Send a request that has no body; raise httpx2.HTTPError."""
        await self._client.post(path)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


async def shut_down(address: str) -> None:
    """Ask a model server to finish what it runs and end; one that does not answer is let be."""
    server = HttpModelServer(address)
    with suppress(httpx2.HTTPError):
        await server.post("/shutdown")
    await server.aclose()


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
