"""The network to this machine: plain HTTP/1.1 over loopback, which needs neither TLS nor proxies nor a large library.

Theory of operation: a connection carries one request at a time; when an answer was read whole, the connection waits in
a pool for the next. Answers are parsed by httptools, as our server parses requests. An answer that comes while its
request's body is still being sent ends the sending: a registry that refuses a blob need not be sent all of it. Whatever
is not `http` to this machine goes to another Network. Why this exists: docs/decisions/0031-a-push-in-a-blink.md.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import httptools

from cogyard.oci.authorization import is_loopback
from cogyard.oci.network import Body, Network, NetworkError, NoConnectionError, Response

_CONNECT_SECONDS = 10.0
_WRITE_SECONDS = 60.0
#: A registry may take minutes to check a large blob before it answers.
_READ_SECONDS = 600.0
#: Bytes of a head; and those between two parts of a body, or after its last.
_MAX_HEAD = 64 << 10
#: Bytes of an answer in memory when reading stops for a while.
_MAX_AHEAD = 4 << 20
_MOST_REDIRECTIONS = 10
_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
#: What stays as it is in an address that a registry named; everything else is escaped, line ends above all.
_SAFE = "!#$%&'()*+,/:;=?@[]~"


class PlainNetwork:
    """A Network for `http` to this machine; `other` makes the one for everything else, when it is needed."""

    def __init__(self, other: Callable[[], Network]) -> None:
        self._make_other = other
        self._other: Network | None = None
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def close(self) -> None:
        """Close every connection."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # the loop closes their sockets in its next turn
        if self._other is not None:
            await self._other.close()

    @asynccontextmanager
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = b"", *, follow: bool = False
    ) -> AsyncIterator[Response]:
        """Send a request and give its answer for the length of a block."""
        sent = {name.lower(): value for name, value in headers.items()}
        for _ in range(_MOST_REDIRECTIONS):
            parts = urlsplit(url)
            if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
                async with self._elsewhere().send(method, url, sent, body, follow=follow) as response:
                    yield response
                return
            connection = await self._exchange(method, url, parts, sent, body)
            try:
                where = connection.headers.get("location") if follow else None
                if where is None or connection.status not in _REDIRECTIONS:
                    yield connection
                    return
            finally:
                self._release(connection)
            before, url = parts.netloc, urljoin(url, where)
            if urlsplit(url).netloc != before:
                sent.pop("authorization", None)
        raise NetworkError(f"more than {_MOST_REDIRECTIONS} redirections")

    def _elsewhere(self) -> Network:
        if self._other is None:
            self._other = self._make_other()
        return self._other

    async def _exchange(
        self, method: str, url: str, parts: SplitResult, headers: Mapping[str, str], body: Body
    ) -> _Connection:
        """Send a request; return its connection when the head of the answer is there."""
        head = _head(method, parts, headers, len(body) if isinstance(body, bytes) else None)
        while True:
            connection = await self._connection(parts)
            used = connection.used
            try:
                await connection.ask(url, head, body, bodiless=method == "HEAD")
            except NetworkError:
                connection.close()
                # The other side may close a connection that waits, at any moment; nothing of an answer has come.
                if used and not connection.answered and isinstance(body, bytes):
                    continue
                raise
            except BaseException:
                connection.close()
                raise
            return connection

    async def _connection(self, parts: SplitResult) -> _Connection:
        host, port = _place(parts)
        waiting = self._idle.get((host, port), [])
        while waiting:
            connection = waiting.pop()
            if connection.open:
                return connection
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, made = await loop.create_connection(lambda: _Connection(loop, (host, port)), host, port)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
            raise NoConnectionError(reason) from None
        return made

    def _release(self, connection: _Connection) -> None:
        if connection.reusable:
            self._idle.setdefault(connection.place, []).append(connection)
        else:
            connection.close()


class _Connection(asyncio.Protocol):
    """One connection, and the answer that is being read from it: a Response."""

    def __init__(self, loop: asyncio.AbstractEventLoop, place: tuple[str, int]) -> None:
        self.place = place
        self.used = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.url = ""
        self._loop = loop
        self._transport: asyncio.Transport
        self._lost = False
        self._sent_whole = True
        self._blocked = False
        self._waiter: asyncio.Future[None] | None = None
        self._begin(bodiless=False)
        self._complete = True

    def _begin(self, *, bodiless: bool) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._bodiless = bodiless
        self.status = 0
        self.headers = {}
        self._error: NetworkError | None = None
        self._pieces: deque[bytes] = deque()
        self._ahead = self._head_size = 0
        self._interim = self._has_head = self._complete = self._paused = self._surplus = False

    @property
    def open(self) -> bool:
        """Whether another request may be sent."""
        return not self._lost and not self._transport.is_closing()

    @property
    def _unasked(self) -> bool:
        """Whether nothing is asked, or what was asked is answered."""
        return self._complete

    @property
    def answered(self) -> bool:
        """Whether anything of an answer has come."""
        return self._has_head or self._head_size > 0

    @property
    def reusable(self) -> bool:
        """Whether request and answer are whole, and the other side keeps the connection."""
        keeps = self._parser.get_http_version() == "1.1" and self.headers.get("connection") != "close"
        return self._complete and not self._surplus and self._sent_whole and keeps and self.open

    def close(self) -> None:
        """Close at once."""
        self._transport.abort()

    async def ask(self, url: str, head: bytes, body: Body, *, bodiless: bool) -> None:
        """Send a request, and wait for the head of its answer. Raises NetworkError."""
        self._begin(bodiless=bodiless)
        self.url, self.used, self._sent_whole = url, True, False
        if isinstance(body, bytes):
            self._transport.write(head + body)
            self._sent_whole = True
        else:
            self._transport.write(head)
            async with aclosing(body) as chunks:
                self._sent_whole = await self._send(chunks)
        await self._until(lambda: self._has_head, _READ_SECONDS)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it is on the wire."""
        while True:
            await self._until(lambda: bool(self._pieces) or self._complete, _READ_SECONDS)
            if not self._pieces:
                return
            piece = self._pieces.popleft()
            self._ahead -= len(piece)
            if self._paused and self._ahead < _MAX_AHEAD:
                self._paused = False
                self._transport.resume_reading()
            yield piece

    async def _send(self, body: AsyncIterator[bytes]) -> bool:
        """Send a body; return whether all of it was wanted."""
        async for chunk in body:
            await self._writable()
            if self._has_head or self._error is not None:
                return False
            self._transport.write(chunk)
        return True

    async def _writable(self) -> None:
        """Wait until the network takes more, or an answer ends the sending."""
        await self._until(lambda: not self._blocked or self._has_head, _WRITE_SECONDS)

    async def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        while not reached():
            if self._error is not None:
                raise self._error
            self._waiter = self._loop.create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            except TimeoutError:
                raise NetworkError(f"nothing came for {seconds:g} seconds") from None
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        if self._error is None and not self._complete:
            self._error = NetworkError(reason)
        self._transport.abort()
        self._wake()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._transport = transport  # type: ignore[assignment]  # a stream connection has a stream transport

    def pause_writing(self) -> None:
        """Hold up the body."""
        self._blocked = True

    def resume_writing(self) -> None:
        """Let the body go on."""
        self._blocked = False
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._unasked:
            self._fail("")  # what nobody asked for: the connection is not used again
            return
        self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._complete:
                self._fail("the answer is not HTTP/1.1")
        if not self._complete and self._head_size > _MAX_HEAD:
            self._fail(f"the answer's headers have more than {_MAX_HEAD} bytes")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: an answer without a length is whole now, any other was cut off."""
        self._lost = self._sent_whole = True
        self._blocked = False
        endless = self._has_head and not {"content-length", "transfer-encoding"} & {*self.headers}
        if endless:
            self._complete = True
        elif not self._complete and self._error is None:
            self._error = NetworkError(
                str(exc) if exc else "the connection was closed before the answer was whole"
            )
        self._wake()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header, unless it is of a second answer that nobody asked for."""
        if self._complete:
            self._surplus = True
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """Give the head to who waits, unless it only says that the real one comes later."""
        if self._complete:
            self._surplus = True
            return
        status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            self.headers = {}
            return
        self.status, self._has_head = status, True
        if self._bodiless:
            self._complete = True

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._head_size = 0
        if self._bodiless or self._complete:
            return
        self._pieces.append(body)
        self._ahead += len(body)
        if self._ahead >= _MAX_AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """End the answer."""
        if not self._interim:
            self._complete = True


def _place(parts: SplitResult) -> tuple[str, int]:
    try:
        return parts.hostname or "", parts.port or 80
    except ValueError:
        raise NoConnectionError(f"{parts.netloc[:80]!r} is not an address") from None


def _head(method: str, parts: SplitResult, headers: Mapping[str, str], length: int | None) -> bytes:
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += f"?{quote(parts.query, safe=_SAFE)}"
    fields = {"host": parts.netloc.rpartition("@")[2], "accept-encoding": "identity", **headers}
    if length is not None and (length or method not in {"GET", "HEAD", "DELETE"}):
        fields["content-length"] = str(length)
    return "\r\n".join((f"{method} {target} HTTP/1.1", *_lines(fields.items()), "", "")).encode("latin-1")


def _lines(fields: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, value in fields:
        if not value.isprintable():
            raise NetworkError(f"the header {name} holds what no header may hold")
        yield f"{name}: {value}"
