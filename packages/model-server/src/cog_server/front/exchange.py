"""One request and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from mmap import mmap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cog_server.front.connection import Connection

Headers = list[tuple[bytes, bytes]]
_STATUS = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}
_NO_BODY = frozenset({204, 304})


class Exchange:
    """A whole request, and the way back. Its methods `receive` and `send` are ASGI's."""

    __slots__ = (
        "_chunked",
        "_connection",
        "_gone",
        "_head",
        "body",
        "finished",
        "headers",
        "keep_alive",
        "method",
        "on_gone",
        "path",
        "query",
        "raw_path",
        "started",
    )

    def __init__(
        self,
        connection: Connection,
        method: str,
        url: bytes,
        headers: Headers,
        body: bytes | mmap,
        *,
        keep_alive: bool,
    ) -> None:
        self._connection = connection
        self.method = method
        self.raw_path, _, self.query = url.partition(b"?")
        self.path = self.raw_path.decode("latin-1")
        self.headers = headers
        self.body: bytes | mmap | None = body
        self.keep_alive = keep_alive
        self.started = False
        self.finished = False
        self.on_gone: Callable[[], None] | None = None
        self._gone: asyncio.Future[None] | None = None
        self._chunked = False
        self._head = b""

    def reply(
        self,
        status: int,
        *parts: bytes | memoryview | mmap,
        headers: bytes = b"content-type: application/json\r\n",
    ) -> None:
        """Answer at once and whole; `headers` are lines in the wire's form."""
        if self.finished:
            return
        closing = b"" if self.keep_alive else b"connection: close\r\n"
        head = b"%s%s%s%scontent-length: %d\r\n\r\n" % (
            _STATUS[status],
            self._connection.server.date_line,
            headers,
            closing,
            sum(map(len, parts)),
        )
        self.started = True
        if self.method == "HEAD":
            self._connection.write(head)
        elif len(parts) == 1 and len(parts[0]) < _JOIN:
            self._connection.write(head + parts[0])
        else:
            self._connection.write_parts((head, *parts))
        self._finish()

    def client_gone(self) -> None:
        """Learn that nobody reads the answer any more."""
        if self.finished:
            return
        self.finished = True
        if self.on_gone is not None:
            self.on_gone()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def take_body(self) -> bytes | mmap:
        """Return the body, which is not kept any longer."""
        body, self.body = self.body, None
        return body or b""

    @property
    def paused(self) -> asyncio.Future[None] | None:
        """What ends when a client that reads slowly has caught up; None while it does not lag."""
        return self._connection.paused

    def begin(self, status: int, headers: Headers) -> None:
        """Start an answer in parts; its head leaves with the first `push`."""
        self._start(status, headers)

    def push(self, body: bytes, *, more: bool) -> None:
        """Send a part of the answer, the last one unless there is `more`."""
        if self.finished:
            return
        if self.method == "HEAD":
            body = b""
        data, self._head = self._head, b""
        if self._chunked:
            if body:
                data += b"%x\r\n%s\r\n" % (len(body), body)
            if not more:
                data += b"0\r\n\r\n"
        else:
            data += body
        if data:
            self._connection.write(data)
        if not more:
            self._finish()

    # ASGI.

    def scope(self) -> dict[str, Any]:
        """Return ASGI's description of the request."""
        path = self.path
        if "%" in path:
            from urllib.parse import unquote

            path = unquote(path)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path,
            "raw_path": self.raw_path,
            "query_string": self.query,
            "root_path": "",
            "headers": self.headers,
            "client": None,
            "server": None,
        }

    async def receive(self) -> MutableMapping[str, Any]:
        """Give the body, once; then wait until the client is gone or the answer is complete."""
        if self.body is not None:
            body, self.body = self.body, None
            return {"type": "http.request", "body": bytes(body), "more_body": False}
        if not self.finished:
            if self._gone is None:
                self._gone = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._gone)
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a part of the answer."""
        if self.finished:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", []))
            return
        more = message.get("more_body", False)
        self.push(message.get("body", b""), more=more)
        if more and self._connection.paused is not None:
            await self._connection.paused

    def _start(self, status: int, headers: Headers) -> None:
        lines = [_STATUS[status], self._connection.server.date_line]
        fixed = status in _NO_BODY or self.method == "HEAD"
        for name, value in headers:
            lines.append(b"%s: %s\r\n" % (name, value))
            if name == b"content-length":
                fixed = True
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
        if not fixed:
            if self._connection.is_http10:
                self.keep_alive = False
            else:
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive and (b"connection", b"close") not in headers:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        self.started = True

    def _finish(self) -> None:
        self.finished = True
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        self._connection.exchange_finished(self)


_JOIN = 1 << 16
"""Bytes of a body up to which copying it behind its head is cheaper than writing twice."""
