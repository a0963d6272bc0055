"""Connections to one model server, kept between requests: HTTP/1.1 from the asking side, and no more of it than that.

Theory of operation. A `Line` is one connection with at most one request under way. What comes is parsed as it comes, in
the loop's own callback, and whoever asked is woken once for all that came together: an answer in one packet costs one
wake-up and no task. An answer that nobody reads makes the server wait: beyond `_AHEAD` bytes nothing more is read.
A line that nobody needs any more while its answer still ends goes back to the others when it has ended in time, so that
an outcome need not wait for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

#: How long a server has to take a connection, in seconds.
_CONNECT = 5.0
#: A line that was idle for longer is not used again, in seconds; and so many are kept.
_IDLE = 60.0
_KEPT = 64
#: Bytes of a status line and headers; and those between two parts of a body, or after its last.
_MAX_HEAD = 64 << 10
#: Bytes of an answer that are read before anybody has asked for them.
_AHEAD = 1 << 20


class Line(asyncio.Protocol):
    """One connection; `Lines.take` gives one, `ask` sends, `status` and `piece` read, `leave` gives it back."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._pieces: list[bytes] = []
        self._size = self._head_size = self._status = 0
        self._silence: float | None = None
        # Whole until something is asked: what comes unasked is no answer.
        self._whole = True
        self._known = self._broken = self._left = self._paused = False
        self._sized = self._keeps = self._surplus = False
        #: Whether a byte of the present answer has come.
        self.begun = False
        self.idle_since = 0.0
        #: The media type of the answer, once its status is known.
        self.media_type = ""

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return not (self._broken or self._transport.is_closing())

    @property
    def _unasked(self) -> bool:
        """Whether nothing is asked, or what was asked is answered."""
        return self._whole

    def ask(self, request: bytes, *, silence: float | None) -> None:
        """Send a whole request; a server that then says nothing for `silence` seconds is taken for stuck."""
        self._pieces.clear()
        self._size = self._head_size = 0
        self._silence = silence
        self._known = self._whole = self._left = self._sized = self.begun = False
        self.media_type = ""
        self._transport.write(request)

    async def status(self) -> int:
        """Return the answer's status. Raises ConnectionError, TimeoutError."""
        while not self._known:
            await self._news()
        return self._status

    async def piece(self) -> bytes:
        """Return what more of the body has come; nothing is its end. Raises ConnectionError, TimeoutError."""
        while not self._pieces:
            if self._whole:
                return b""
            await self._news()
        found = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return found

    async def body(self, limit: int) -> bytes:
        """Return the rest of the body. Raises ConnectionError, TimeoutError; ValueError past `limit` bytes."""
        found = bytearray()
        while more := await self.piece():
            found += more
            if len(found) > limit:
                raise ValueError(f"an answer has more than {limit} bytes")
        return bytes(found)

    def leave(self, *, linger: float = 0.0) -> None:
        """Need it no more: kept for the next when its answer has ended, or ends within `linger` seconds."""
        if self._whole or not self.usable:
            self._end()
        elif linger:
            self._left = True
            self._linger = self._loop.call_later(linger, self._transport.abort)
            self._pieces.clear()
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
        else:
            self._transport.abort()

    def close(self) -> None:
        """End the connection."""
        self._transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._transport = transport  # type: ignore[assignment] # a stream connection has a stream transport
        self._lines.open.add(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and wake whoever waits, once."""
        if self._unasked:
            # Nobody asked: kept, it would be taken for the next answer, and there is no end to what could come.
            self._break()
            return
        self.begun = True
        self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break()
        if self._head_size > _MAX_HEAD and not self._whole:
            self._break()
        if self._left:
            if self._whole or self._broken:
                self._end()
        elif self._size > _AHEAD and not self._paused and not self._whole:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """End an answer that says its length in no other way."""
        if self._known and not self._sized:
            self._whole = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """End."""
        self._broken = True
        self._lines.open.discard(self)
        if self._linger is not None:
            self._linger.cancel()
        self._wake()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note what matters of a header."""
        name = name.lower()
        if name == b"content-type":
            self.media_type = value.partition(b";")[0].strip().lower().decode("latin-1")
        elif name in {b"content-length", b"transfer-encoding"}:
            self._sized = True

    def on_headers_complete(self) -> None:
        """Know the status; what only announces the answer is passed over."""
        if self._whole:
            self._surplus = True
            return
        self._status = self._parser.get_status_code()
        self._known = self._status >= 200
        # Both asked here: once the answer has ended, the parser speaks of the next.
        self._keeps = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body, unless nobody wants it."""
        self._head_size = 0
        if not self._left and not self._whole:
            self._pieces.append(data)
            self._size += len(data)

    def on_message_complete(self) -> None:
        """Note the end."""
        self._whole = self._known

    async def _news(self) -> None:
        if self._broken:
            raise ConnectionError("the connection ended before the answer did")
        self._waiter = self._loop.create_future()
        timer = None if self._silence is None else self._loop.call_later(self._silence, self._silent)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _silent(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError("the server says nothing"))

    def _break(self) -> None:
        self._broken = True
        self._transport.abort()

    def _end(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._whole and self._keeps and not self._surplus and self.usable:
            self._lines.keep(self)
        else:
            self._transport.abort()


@dataclass(eq=False)
class Lines:
    """The connections to a server at `unix:PATH` or `http://HOST:PORT`."""

    address: str
    open: set[Line] = field(default_factory=set)
    """All that live."""
    _kept: list[Line] = field(default_factory=list)
    _held: int | None = None

    @property
    def host(self) -> str:
        """What a request says in its Host header."""
        return "model" if self.address.startswith("unix:") else urlsplit(self.address).netloc

    async def take(self) -> Line:
        """Return a line that is kept, the last that was used first, or a new one. Raises OSError."""
        oldest = asyncio.get_running_loop().time() - _IDLE
        while self._kept:
            line = self._kept.pop()
            if line.usable and line.idle_since >= oldest:
                return line
            line.close()
        return await self._connected()

    def keep(self, line: Line) -> None:
        """Take a line back."""
        if len(self._kept) >= _KEPT:
            self._kept.pop(0).close()
        line.idle_since = asyncio.get_running_loop().time()
        self._kept.append(line)

    def close(self) -> None:
        """End all connections."""
        self._kept.clear()
        for line in tuple(self.open):
            line.close()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    async def _connected(self) -> Line:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT):
            if self.address.startswith("unix:"):
                path = self._socket(self.address.removeprefix("unix:"))
                _, line = await loop.create_unix_connection(lambda: Line(self), path)
            else:
                parts = urlsplit(self.address)
                _, line = await loop.create_connection(
                    lambda: Line(self), parts.hostname or "127.0.0.1", parts.port or 80
                )
        return line

    def _socket(self, path: str) -> str:
        """Return where to connect. The folder may be a container's to write to.

        What lay there at first is what is spoken to, and never what a link names.
        """
        if sys.platform != "linux":
            return path
        if self._held is None:
            held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            if not stat.S_ISSOCK(os.fstat(held).st_mode):
                with contextlib.suppress(OSError):
                    os.close(held)
                raise FileNotFoundError(path)
            self._held = held
        return f"/proc/self/fd/{self._held}"
