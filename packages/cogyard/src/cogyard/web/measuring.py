"""What every request tells the operator's metrics, and the address where they are read."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cogyard.http.caller import caller_of
from cogyard.http.errors import ForbiddenError, UnauthenticatedError
from cogyard.http.problems import problem_of
from cogyard.http.traces import STATE

#: Where metrics are read.
PATH = "/metrics"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})


class Mark(Protocol):
    """A request under way, for who follows it beyond its answer."""

    @property
    def traceparent(self) -> str:
        """What whatever the request begins is part of, as the W3C has it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """One request, in words of which there are few: `part` of the platform and, of the API, the operation."""

    part: str
    operation: str
    method: str
    status: int
    seconds: float
    #: What `begun` returned.
    mark: Mark | None = None


class Meter(Protocol):
    """Takes measures, and gives them in the form in which they are read."""

    def begun(self, traceparent: str) -> Mark | None:
        """Note that a request has come, of the trace that its caller names."""
        ...

    def answered(self, answered: Answered) -> None:
        """Note that a request was answered; it must not raise."""
        ...

    async def exposition(self) -> tuple[str, bytes]:
        """Return (content type, text) of everything measured so far."""
        ...


class Measured:
    """Middleware that measures each request, from its first byte to the last of its answer."""

    def __init__(self, app: ASGIApp, *, meter: Meter) -> None:
        self.app = app
        self.meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state: dict[str, object] = scope.setdefault("state", {})
        begun, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        mark = self.meter.begun(_traceparent(scope))
        if mark is not None:
            state[STATE] = mark.traceparent
        try:
            await self.app(scope, receive, sending)
        finally:
            method = scope["method"]
            self.meter.answered(
                Answered(
                    part=str(state.get("part", "")),
                    operation=str(state.get("operation", "")),
                    method=method if method in _METHODS else "other",
                    status=status,
                    seconds=time.perf_counter() - begun,
                    mark=mark,
                )
            )


def _traceparent(scope: Scope) -> str:
    found = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    return str(found[:100].decode("latin-1"))


class MetricsDoor:
    """The application at `/metrics`: for administrators, and for who knows the operator's token for it."""

    def __init__(self, meter: Meter, token: str | None) -> None:
        self.meter = meter
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the metrics, or say that they are not for this caller."""
        request = Request(scope)
        try:
            self._admit(request)
            content_type, body = await self.meter.exposition()
            response = Response(body, media_type=content_type, headers={"Cache-Control": "no-store"})
        except Exception as error:  # noqa: BLE001 - said as every error is
            response = problem_of(error, request)
        await response(scope, receive, send)

    def _admit(self, request: Request) -> None:
        given = request.headers.get("authorization", "").partition(" ")[2].strip()
        if self.token and hmac.compare_digest(given.encode(), self.token.encode()):
            return
        account = caller_of(request).account
        if account is None:
            raise UnauthenticatedError
        if not account.is_admin:
            raise ForbiddenError("Metrics are for administrators.")
