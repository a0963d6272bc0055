"""The HTTP API of a model (spec/model-http.md) as an ASGI application, without a framework.

One path matters for speed, `POST /predictions`; it is looked up first and allocates little. The rest is a small table.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from mmap import mmap

import msgspec

from cog_server import forms, origin, requests, sse
from cog_server.asked import Asked
from cog_server.deadlines import cancel_after
from cog_server.errors import (
    BusyError,
    ConflictError,
    InputInvalidError,
    NotReadyError,
    RequestError,
    ServerError,
    UnknownPredictionError,
)
from cog_server.front.exchange import Exchange
from cog_server.guard import Guard
from cog_server.origin import TraceHeader
from cog_server.pages import Pages
from cog_server.prediction import Prediction
from cog_server.replies import (
    JSON,
    Headers,
    Receive,
    Scope,
    Send,
    naming,
    not_allowed,
    not_found,
    other,
    reply,
)
from cog_server.requests import Wants
from cog_server.runner import Kind, Runner
from cog_server.streaming import EventStream

log = logging.getLogger("cog_server")

MAX_BODY = 100 << 20
"""Bytes of a request body."""
STREAM_GRACE = 5.0
"""Seconds in which a client that was cut off from its stream may come back before the prediction is canceled."""
_EVENTS: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_encode = msgspec.json.encode


class ClientGoneError(Exception):
    """The client closed the connection while its body was read."""


class App:
    """Answer HTTP requests about one model."""

    def __init__(
        self,
        runner: Runner,
        *,
        shutdown: Callable[[], None],
        token: str | None = None,
        max_body: int = MAX_BODY,
        stream_grace: float = STREAM_GRACE,
        keep_alive: float = sse.KEEP_ALIVE_SECONDS,
        trace_header: TraceHeader | None = None,
    ) -> None:
        self._runner = runner
        self._pages = Pages(runner)
        self._shutdown = shutdown
        self._guard = None if token is None else Guard(token)
        self._max_body = max_body
        self._stream_grace = stream_grace
        self._keep_alive = keep_alive
        self._trace_header = trace_header
        self._readers: dict[Prediction, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await other(scope, receive, send)
            return
        send = naming(send, origin.name_of(origin.read(scope["headers"])))
        try:
            if self._guard is not None and not self._guard.allows(scope["headers"]):
                await self._stranger(scope, send)
            elif scope["path"] == "/predictions" and scope["method"] == "POST":
                await self._create(self._runner.predictions, scope, receive, send)
            else:
                await self._route(scope, receive, send)
        except ServerError as exc:
            status, body, headers = self._refusal(exc)
            await reply(send, status, body, headers)
        except ClientGoneError:
            pass

    async def _stranger(self, scope: Scope, send: Send) -> None:
        """Answer who shows no token: how the model is may be known, for probes; nothing else."""
        if scope["path"] == "/health-check" and scope["method"] in ("GET", "HEAD"):
            await reply(send, 200, _encode({"status": self._runner.predictions.engine.health.value}))
        else:
            headers = [*JSON, (b"www-authenticate", b"Bearer")]
            await reply(
                send, 401, b'{"detail":"This model needs a token: Authorization: Bearer ..."}', headers
            )

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        parts = path.strip("/").split("/")
        if parts[0] in ("predictions", "trainings") and (parts[0] == "predictions" or self._runner.can_train):
            kind = self._runner.predictions if parts[0] == "predictions" else await self._runner.trainings()
            if len(parts) == 1 and method == "POST":
                await self._create(kind, scope, receive, send)
            elif len(parts) == 2 and method == "PUT":
                await self._create(kind, scope, receive, send, url_id=parts[1])
            elif len(parts) == 2 and method in ("GET", "HEAD"):
                await self._get(kind, parts[1], scope, receive, send)
            elif len(parts) == 3 and parts[2] == "cancel" and method == "POST":
                kind.engine.cancel(kind.engine.find(parts[1]))
                await reply(send, 200, b"{}")
            elif len(parts) <= 2 or (len(parts) == 3 and parts[2] == "cancel"):
                await not_allowed(send, ["POST"] if len(parts) != 2 else ["GET", "PUT"])
            else:
                await not_found(send)
            return
        if path == "/shutdown":
            if method != "POST":
                await not_allowed(send, ["POST"])
                return
            await reply(send, 200, b"{}")
            self._shutdown()
            return
        page = await self._pages.get(path)
        if page is None:
            await not_found(send)
        elif method not in ("GET", "HEAD"):
            await not_allowed(send, ["GET"])
        else:
            await reply(send, page.status, page.body, [(b"content-type", page.media_type)])

    # Predictions.

    def quick(self, exchange: Exchange) -> bool:
        """Take a plain request for a prediction without a task of its own; leave everything else to the ASGI call."""
        if self._guard is not None:
            return False
        url_id: str | None = None
        if exchange.method == "PUT":
            url_id = requests.prediction_of(exchange.path)
            if url_id is None:
                return False
        elif exchange.path != "/predictions" or exchange.method != "POST":
            return False
        wants = self._wants(exchange.headers)
        if wants.special or not wants.is_json:
            return False
        name = origin.name_of(wants.origin)
        try:
            prediction, created = self._accept(self._runner.predictions, wants, exchange.take_body(), url_id)
        except ServerError as exc:
            status, body, headers = self._refusal(exc)
            lines = [*headers, (b"x-request-id", name)]
            exchange.reply(status, body, headers=b"".join(b"%s: %s\r\n" % line for line in lines))
            return True
        head = b"content-type: application/json\r\nx-request-id: %s\r\n" % name
        if wants.events:
            self._stream_at_once(exchange, prediction, wants.last_id, name, owner=created)
        elif prediction.over:
            exchange.reply(200, *prediction.answer_parts(), headers=head)
        else:
            prediction.enders.append(partial(_answer, exchange, prediction, head))
            if created:
                exchange.on_gone = partial(self._runner.predictions.engine.cancel, prediction)
        return True

    def _wants(self, headers: Headers) -> Wants:
        return Wants(headers if self._trace_header is None else self._trace_header.rename(headers))

    def _accept(
        self, kind: Kind, wants: Wants, data: bytes | mmap, url_id: str | None
    ) -> tuple[Prediction, bool]:
        """Return the prediction that is asked for, and whether it is new. Raises ServerError."""
        if not wants.is_json:
            raise RequestError("Content-Type must be application/json", status=415)
        # A PUT's input is compared with what was sent before, so it is kept whole.
        cuts = None if url_id is not None else requests.cut(data, kind.schema)
        body = requests.parse_body(bytes(data) if cuts is None else cuts.slim)
        if not kind.engine.accepting:
            kind.engine.refuse_now()
        try:
            asked, hook = requests.ask(body, kind.schema, url_id=url_id, cuts=cuts)
        except requests.UncutError:
            asked, hook = requests.ask(requests.parse_body(bytes(data)), kind.schema)
        if url_id is not None:
            known = _again(kind, asked)
            if known is not None:
                return known, False
        limit = None if wants.cancel_after is None else cancel_after(wants.cancel_after)
        return kind.engine.submit(asked, hook, limit, wants.origin), True

    async def _create(
        self, kind: Kind, scope: Scope, receive: Receive, send: Send, url_id: str | None = None
    ) -> None:
        wants = self._wants(scope["headers"])
        body = await self._read(wants.length, receive)
        if not wants.is_json:
            media_type = requests.header(scope["headers"], b"content-type")
            body = forms.as_json(media_type, scope.get("query_string", b""), body, kind.schema)
            wants.is_json = True
        prediction, created = self._accept(kind, wants, body, url_id)
        if wants.events:
            await self._stream(kind, prediction, wants.last_id, receive, send, owner=created)
        elif wants.no_wait:
            await reply(send, 202, prediction.answer())
        else:
            await self._wait(kind, prediction, wants.seconds, receive, send, owner=created)

    async def _read(self, length: bytes | None, receive: Receive) -> bytes:
        if length is not None and length.isdigit() and int(length) > self._max_body:
            raise RequestError(f"The body is {int(length)} bytes; the limit is {self._max_body}", status=413)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._max_body:
                raise RequestError(f"The body is larger than the limit of {self._max_body} bytes", status=413)
            if not message.get("more_body"):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _wait(
        self,
        kind: Kind,
        prediction: Prediction,
        seconds: float | None,
        receive: Receive,
        send: Send,
        *,
        owner: bool,
    ) -> None:
        """Answer when the prediction is over, or after `seconds`; a client that goes away cancels what it asked for."""
        if not prediction.over:
            end = prediction.end()
            gone = asyncio.ensure_future(_disconnected(receive))
            await asyncio.wait((end, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() and not prediction.over:
                if owner:
                    kind.engine.cancel(prediction)
                return
            gone.cancel()
        await reply(send, 200 if prediction.over else 202, prediction.answer())

    async def _get(self, kind: Kind, id: str, scope: Scope, receive: Receive, send: Send) -> None:
        prediction = kind.engine.find(id)
        headers = scope["headers"]
        if requests.wants_events(requests.header(headers, b"accept")):
            seen = requests.header(headers, b"last-event-id")
            await self._stream(kind, prediction, seen, receive, send, owner=False)
        else:
            await reply(send, 200, prediction.answer())

    async def _stream(
        self,
        kind: Kind,
        prediction: Prediction,
        last_id: bytes | None,
        receive: Receive,
        send: Send,
        *,
        owner: bool,
    ) -> None:
        """Send events as they come, all that are there in one write, until `completed`."""
        seen = sse.last_event_id(last_id, len(prediction.events))
        await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        gone = asyncio.get_running_loop().create_task(_disconnected(receive))
        self._readers[prediction] = self._readers.get(prediction, 0) + 1
        try:
            while not gone.done():
                change = prediction.watch()
                chunk, seen = sse.encode_from(prediction, seen)
                over = prediction.over
                if chunk or over:
                    await send({"type": "http.response.body", "body": chunk, "more_body": not over})
                if over:
                    return
                if change.done():
                    continue
                await asyncio.wait(
                    (change, gone), timeout=self._keep_alive, return_when=asyncio.FIRST_COMPLETED
                )
                if not change.done() and not gone.done():
                    await send({"type": "http.response.body", "body": sse.KEEP_ALIVE, "more_body": True})
        finally:
            gone.cancel()
            self._left(kind, prediction, owner=owner)

    def _stream_at_once(
        self, exchange: Exchange, prediction: Prediction, last_id: bytes | None, name: bytes, *, owner: bool
    ) -> None:
        """As `_stream`, without a task."""
        kind = self._runner.predictions
        self._readers[prediction] = self._readers.get(prediction, 0) + 1
        EventStream(
            exchange,
            prediction,
            seen=sse.last_event_id(last_id, len(prediction.events)),
            headers=[*_EVENTS, (b"x-request-id", name)],
            keep_alive=self._keep_alive,
            on_left=lambda: self._left(kind, prediction, owner=owner),
        )

    def _left(self, kind: Kind, prediction: Prediction, *, owner: bool) -> None:
        """Count a reader out; what only a stream asked for ends when nobody reads it any more."""
        readers = self._readers.pop(prediction) - 1
        if readers:
            self._readers[prediction] = readers
        if owner:
            prediction.streamed_for_client = True
        if not readers and prediction.streamed_for_client and not prediction.over:
            asyncio.get_running_loop().call_later(self._stream_grace, self._nobody_came, kind, prediction)

    def _nobody_came(self, kind: Kind, prediction: Prediction) -> None:
        if prediction not in self._readers:
            kind.engine.cancel(prediction)

    # Refusals.

    def _refusal(self, exc: ServerError) -> tuple[int, bytes, Headers]:
        """Return status, body and headers of the answer to a request that is not taken."""
        if isinstance(exc, InputInvalidError):
            detail = [{"loc": p.loc, "msg": p.message, "type": p.type} for p in exc.problems]
            return 422, _encode({"detail": detail}), JSON
        headers = JSON
        status = exc.http_status
        if isinstance(exc, RequestError):
            status = exc.status
            if status == 413:
                headers = [*JSON, (b"connection", b"close")]
        elif isinstance(exc, BusyError):
            if self._runner.limits.strict:
                status = 409
            else:
                wait = str(self._runner.predictions.engine.retry_after()).encode()
                headers = [*JSON, (b"retry-after", wait)]
        elif isinstance(exc, NotReadyError):
            headers = [*JSON, (b"retry-after", b"1")]
        elif not isinstance(exc, (ConflictError, UnknownPredictionError)):
            log.error("request failed code=%s", exc.code)
        return status, _encode({"detail": exc.message}), headers


def _again(kind: Kind, asked: Asked) -> Prediction | None:
    """Return the prediction that a PUT names, when it is there already. Raises ConflictError for another input."""
    known = kind.engine.known(asked.id)
    if known is None:
        return None
    same = requests.same_input(
        known.value or known.shown_input, asked.input_raw if known.value else asked.shown_input
    )
    if same:
        return known
    if known.over:
        return None
    raise ConflictError(f"The prediction {asked.id!r} is running with another input.")


def _answer(exchange: Exchange, prediction: Prediction, head: bytes) -> None:
    """Answer a client that waited; one that asked without an id of its own has all it will ever ask for."""
    exchange.reply(200, *prediction.answer_parts(), headers=head)
    prediction.told = prediction.own_id


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
