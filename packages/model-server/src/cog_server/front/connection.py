"""One client connection: bytes in, exchanges through, bytes out."""

from __future__ import annotations

import asyncio
from collections import deque
from mmap import mmap
from typing import TYPE_CHECKING

import httptools

from cog_server.front.again import Head, remember
from cog_server.front.exchange import Exchange, Headers
from cog_server.front.large import LARGE, LargeBody
from cog_server.front.upgrades import without_offer

if TYPE_CHECKING:
    from cog_server.front.server import FrontServer

MAX_HEAD = 64 * 1024
"""Bytes of a request's line and headers."""
MAX_HEADERS = 100
PIPELINE = 1
"""Requests that wait behind the one being answered when reading stops (what was read with them still counts)."""
REQUEST_SECONDS = 120.0
"""Seconds a client may take to send one whole request, for each 16 MiB of it."""
IDLE_SECONDS = 75.0
LINGER_SECONDS = 2.0
"""Seconds for which what a refused client still sends is thrown away, so that it gets to read why."""


class Connection(asyncio.Protocol):
    """Speak HTTP/1.1 with one client."""

    def __init__(self, server: FrontServer) -> None:
        self.server = server
        self.deadline: float | None = None
        self.paused: asyncio.Future[None] | None = None
        self.is_http10 = False
        self._app = server.app
        self._loop = server.loop
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._current: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._url = b""
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._head_size = 0
        self._silent = 0
        self._moved = False
        self._body_size = 0
        self._begun = 0.0
        self._expects = False
        self._refused = 0
        self._closing = False
        self._going_on = False
        self._open = False
        self._size = 0
        self._alone: bytes | None = None
        self._head: Head | None = None

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._transport = transport  # type: ignore[assignment]  # a stream server gives stream transports
        # With no room in its buffer uvloop writes at once, not when its turn ends: the client reads while we tidy up.
        self._transport.set_write_buffer_limits(0)
        self.server.connections.add(self)
        self.deadline = self._loop.time() + REQUEST_SECONDS

    def data_received(self, data: bytes) -> None:
        """Parse what came; whole requests are handed on from within."""
        if self._refused or self._closing:
            return
        if not self._open and self._current is None:
            if self._head is not None and self._again(self._head, data):
                return
            self._alone = data
        else:
            self._alone = None
        try:
            self._parser.feed_data(data if self._open else without_offer(data))
        except httptools.HttpParserUpgrade:
            # CONNECT, or an offer that came in pieces: the request is answered as it stands, and that is all.
            self._closing = True
            if self._current is None:
                self._transport.close()
        except httptools.HttpParserError:
            self._refuse(400, b"The request is not HTTP/1.1")
        else:
            if self._size and self._open and not self._refused:
                self._read_large()
            self._bound(len(data))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """End: nobody reads the answers any more."""
        self.server.connections.discard(self)
        self._closing = True
        self.resume_writing()
        current, self._current = self._current, None
        self._waiting.clear()
        if current is not None:
            current.client_gone()

    def pause_writing(self) -> None:
        """Hold up whoever sends a stream: the client reads slowly."""
        if self.paused is None:
            self.paused = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let streams go on."""
        paused, self.paused = self.paused, None
        if paused is not None and not paused.done():
            paused.set_result(None)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Start a new request."""
        self._open = True
        self._url = b""
        self._headers = []
        self._body = []
        self._head_size = self._body_size = 0
        self._expects = False
        self._size = 0
        self._begun = self._loop.time()
        self.deadline = self._begun + REQUEST_SECONDS

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        name = name.lower()
        self._headers.append((name, value))
        self._count(len(name) + len(value))
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        elif name == b"content-length" and value.isdigit():
            size = int(value)
            if size > self.server.max_body:
                self._refused = 413
            elif size >= LARGE:
                self._size = size

    def on_headers_complete(self) -> None:
        """Decide whether the body is wanted."""
        self._moved = True
        if len(self._headers) > MAX_HEADERS:
            self._refused = 431
        if self._refused:
            self._refuse_for_size()
        elif self._expects:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._moved = True
        if self._refused:
            return
        self._body.append(body)
        self._body_size += len(body)
        self._more(self._body_size)
        if self._body_size > self.server.max_body:
            self._refused = 413
            self._refuse_for_size()

    def on_message_complete(self) -> None:
        """Hand the whole request on."""
        if self._refused:
            return
        self._whole(self._body[0] if len(self._body) == 1 else b"".join(self._body))

    def _more(self, size: int) -> None:
        """Give a client that goes on sending its body more time."""
        self.deadline = self._begun + REQUEST_SECONDS * (1 + (size >> 24))

    def _read_large(self) -> None:
        """Read the rest of a body past the parser, which would copy it twice."""
        size, self._size = self._size, 0
        if not self._headers or any(name == b"transfer-encoding" for name, _ in self._headers):
            return
        body, self._body = self._body, []
        self._transport.set_protocol(
            LargeBody(self, size, body, on_more=self._more, on_whole=self._large_whole)
        )

    def _large_whole(self, body: mmap) -> None:
        self._transport.set_protocol(self)
        self._whole(body)
        # It never saw the end of that body.
        self._parser = httptools.HttpRequestParser(self)

    def _whole(self, body: bytes | mmap) -> None:
        parser = self._parser
        self._open = False
        self.deadline = None
        self._body = []
        self.is_http10 = parser.get_http_version() == "1.0"
        keep = parser.should_keep_alive() and not self.server.closing
        exchange = Exchange(
            self, parser.get_method().decode("ascii"), self._url, self._headers, body, keep_alive=keep
        )
        if self._alone is not None and keep:
            self._head = remember(self._alone, self._url, self._headers, body)
        if self._current is None:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)
            if len(self._waiting) >= PIPELINE:
                self._transport.pause_reading()

    # What exchanges call.

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._transport.write(data)

    def write_parts(self, parts: tuple[bytes | memoryview | mmap, ...]) -> None:
        """Send bytes that are too large to be put together."""
        self._transport.writelines(map(memoryview, parts))

    def exchange_finished(self, exchange: Exchange) -> None:
        """Go on to the next request, or close."""
        self._current = None
        if self._refused:
            self._closing = True
            self._transport.write_eof()
            self.deadline = self._loop.time() + LINGER_SECONDS
        elif not exchange.keep_alive or self._closing:
            self._closing = True
            self._transport.close()
        elif self._waiting:
            self._go_on()
        else:
            self.deadline = self._loop.time() + IDLE_SECONDS

    # What the server calls.

    def close_when_idle(self) -> None:
        """Close now, or after the answer under way."""
        if self._current is None:
            self._transport.close()
        else:
            self._current.keep_alive = False

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _go_on(self) -> None:
        """Begin what waits, one after another: in a loop, for a client can send thousands that are answered at once."""
        if self._going_on:
            return  # the loop below called what called this, and goes on by itself
        self._going_on = True
        try:
            while self._waiting and self._current is None and not self._closing:
                following = self._waiting.popleft()
                if len(self._waiting) < PIPELINE:
                    self._transport.resume_reading()
                self._begin(following)
        finally:
            self._going_on = False

    def _begin(self, exchange: Exchange) -> None:
        self._current = exchange
        self.deadline = None
        if not self._app.quick(exchange):
            task = self._loop.create_task(self._run(exchange))
            self.server.tasks.add(task)
            task.add_done_callback(self.server.tasks.discard)

    def _again(self, head: Head, data: bytes) -> bool:
        """Take a request that has the head of the one before; its connection stays open, as that one's did."""
        found = head.match(data)
        if found is None or len(found[1]) > self.server.max_body:
            return False
        self._begin(Exchange(self, "POST", head.url, found[0], found[1], keep_alive=not self.server.closing))
        return True

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self._app(exchange.scope(), exchange.receive, exchange.send)
        except Exception:
            self.server.log.exception("request failed path=%r", exchange.path)
            if not exchange.started:
                exchange.keep_alive = False
                exchange.reply(500, b'{"detail":"Internal Server Error"}')
        if not exchange.finished:
            self._transport.abort()  # a half-sent answer must not look whole

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD:
            self._refused = 431

    def _bound(self, size: int) -> None:
        """Refuse what goes on without an end of its head or a byte of a body: it is in the parser, unseen."""
        self._silent = 0 if self._moved else self._silent + size
        self._moved = False
        if self._silent > MAX_HEAD:
            self._refused = self._refused or 431
        if self._refused and not self._closing:
            self._refuse_for_size()

    def _refuse_for_size(self) -> None:
        if self._refused == 413:
            self._refuse(413, b"The body is larger than the limit of %d bytes" % self.server.max_body)
        else:
            self._refuse(self._refused, b"The request's headers are too large")

    def _refuse(self, status: int, why: bytes) -> None:
        """Answer a request that is not taken, and close without cutting the answer off."""
        self._refused = status
        if self._current is None:
            exchange = Exchange(self, "POST", b"/", [], b"", keep_alive=False)
            self._current = exchange
            exchange.reply(status, b'{"detail":"%s"}' % why)
        else:
            self._current.keep_alive = False
