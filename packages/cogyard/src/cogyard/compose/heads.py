"""How much of a request may come before anything of it is done: a bound that uvicorn's protocol lacks.

Theory of operation: httptools keeps what came of an address, a header, a trailer or a chunk's extension until it is
whole, and puts each piece behind the one before by copying both: 64 MB of one header held up everybody for 2.6 seconds,
and nothing ended it but memory. So what comes without a head's end or a byte of a body is counted, and a head that is
whole is measured too, since one read may bring more than the bound.
"""

from __future__ import annotations

from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of a request line and headers together, and headers: as in the model server.
HEAD_LIMIT, HEADERS_LIMIT = 64 * 1024, 100
#: What stands around a header's name and value on the wire: a colon, a blank, and the end of the line.
_AROUND = 4


class HeadRefusedError(Exception):
    """A head that is not taken."""


class Bounded(HttpToolsProtocol):
    """One connection whose heads are bounded; 431 for whoever goes beyond, and 400 for two hosts."""

    _silent = 0
    _heads = 0
    _oversized = False

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless too much came before it that led nowhere."""
        self._heads = 0
        super().data_received(data)
        # What may stand behind the end of a head, or a body's byte, is less than one read.
        self._silent = 0 if self._heads else self._silent + len(data)
        if self._silent > HEAD_LIMIT and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        """Measure a head, and go on with it."""
        self._heads += 1
        size, hosts = len(self.url), 0
        for name, value in self.headers:
            size += len(name) + len(value) + _AROUND
            hosts += name == b"host"
        if size > HEAD_LIMIT or len(self.headers) > HEADERS_LIMIT:
            self._oversized = True
            raise HeadRefusedError
        if hosts > 1:
            # Whoever stands before us may have read the other one (RFC 9112, 3.2).
            raise HeadRefusedError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take some of a body."""
        self._heads += 1
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Say what was wrong with a head, as what the parser refuses is said, and end."""
        if self._oversized:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _refuse(self) -> None:
        # In the middle of an answer nothing can be said. Of the first request there is no cycle yet.
        if getattr(self.cycle, "response_complete", True):
            self.transport.write(_ANSWER)
        self.transport.close()


def _answer() -> bytes:
    detail = f"The request's head has more than {HEAD_LIMIT} bytes, or more than {HEADERS_LIMIT} headers."
    problem: dict[str, Any] = {
        "title": "Request Header Fields Too Large",
        "detail": detail,
        "status": 431,
    }
    body = msgspec.json.encode(problem)
    head = (
        "HTTP/1.1 431 Request Header Fields Too Large\r\n"
        "content-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


_ANSWER = _answer()
