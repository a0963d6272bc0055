# ruff: noqa: D102 - stand-ins of asyncio; tables of bytes
"""The HTTP front under anything a client can send: it answers or refuses, and never reads one request in two ways."""

from __future__ import annotations

import logging
import re
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from cog_server.front.connection import Connection
from cog_server.front.exchange import Exchange
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import examples

MAX_BODY = 2000
ANSWERS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n")
REFUSALS = {400, 413, 431}


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    abort = write_eof = close

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


class Echo:
    """Answers every request with its number at once, but `/hold`, which waits for `release`."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes, list[tuple[bytes, bytes]], bytes]] = []
        self.held: list[Exchange] = []

    def quick(self, exchange: Exchange) -> bool:
        self.seen.append(
            (exchange.method, exchange.raw_path, sorted(exchange.headers), bytes(exchange.body or b""))
        )
        if exchange.raw_path == b"/hold":
            self.held.append(exchange)
        else:
            exchange.reply(200, b"%d" % len(self.seen))
        return True

    def release(self) -> None:
        while self.held:
            self.held.pop(0).reply(200, b"held")


def talk(pieces: list[bytes], *, quick: bool = True) -> tuple[Echo, Transport]:
    """Send pieces over a connection of its own; without `quick`, heads are always parsed."""
    app, transport = Echo(), Transport()
    server: Any = SimpleNamespace(
        app=app,
        loop=SimpleNamespace(time=lambda: 0.0),
        max_body=MAX_BODY,
        connections=set(),
        tasks=set(),
        closing=False,
        date_line=b"",
        log=logging.getLogger("cog_server"),
    )
    connection = Connection(server)
    connection.connection_made(transport)  # type: ignore[arg-type]
    for piece in pieces:
        if not quick:
            connection._head = None
        if not transport.closed:
            connection.data_received(piece)
    app.release()
    connection.connection_lost(None)
    return app, transport


def post(body: bytes, path: bytes = b"/predictions", *extra: bytes) -> bytes:
    """Return a whole request."""
    head = b"POST %s HTTP/1.1\r\nhost: m\r\ncontent-length: %d\r\n" % (path, len(body))
    return head + b"".join(line + b"\r\n" for line in extra) + b"\r\n" + body


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at some places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[left:right] for left, right in pairwise(edges) if left < right]


TOKENS = st.sampled_from(
    [
        b"POST ",
        b"GET ",
        b"HEAD ",
        b"PUT ",
        b"/predictions",
        b"/hold",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"content-length: 3\r\n",
        b"Content-Length:3\r\n",
        b"content-length: 03\r\n",
        b"content-length: -1\r\n",
        b"content-length: +3\r\n",
        b"content-length: 99999999999999999999\r\n",
        b"content-length: 3000\r\n",
        b"content-length: 3, 3\r\n",
        b"content-length: 3 \r\n",
        b"content-length:\t3\r\n",
        b"x: content-length: 7\r\n",
        b"transfer-encoding: chunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"transfer-encoding: identity\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"0\r\nx: y\r\n\r\n",
        b"FFFFFFFFFFFFFFFF\r\n",
        b'3;ext="a\r\n',
        b"expect: 100-continue\r\n",
        b"connection: close\r\n",
        b"connection: upgrade\r\nupgrade: x\r\n",
        b" folded\r\n",
        b"host: m\r\n",
        b"abc",
        b"\x00",
        b"\xff\xfe",
        b"a" * 5000,
        b"h: " + b"v" * 3000 + b"\r\n",
        b"CONNECT a:1",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ]
)
REQUESTS = st.builds(
    post,
    st.binary(max_size=30),
    st.sampled_from([b"/predictions", b"/", b"/hold", b"/%ff%00", b"http://x/predictions", b"*"]),
)
STREAMS = st.lists(REQUESTS | TOKENS | st.binary(max_size=20), min_size=1, max_size=12).map(b"".join)
PLACES = st.lists(st.integers(0, 10_000), max_size=8)


@settings(max_examples=examples(400), deadline=None)
@given(STREAMS, PLACES)
def test_any_bytes_are_answered_or_refused_however_they_are_cut(data: bytes, places: list[int]) -> None:
    """No bytes break a connection's code; every answer belongs to a request, and a refusal is the last."""
    app, transport = talk(cut(data, places))
    found = [int(status) for status in ANSWERS.findall(transport.written) if status != b"100"]
    assert set(found) <= REFUSALS | {200}
    assert len(app.seen) - 1 <= found.count(200) <= len(app.seen)
    assert not REFUSALS & set(found[:-1])


@settings(max_examples=examples(400), deadline=None)
@given(STREAMS, PLACES, PLACES)
def test_the_cutting_changes_nothing(data: bytes, left: list[int], right: list[int]) -> None:
    """The network may cut bytes anywhere; the requests that are read from them are the same."""
    first, second = talk(cut(data, left)), talk(cut(data, right))
    assert first[0].seen == second[0].seen


HEADS = st.lists(
    st.sampled_from(
        [
            b"content-type: application/json",
            b"x: y",
            b"X:content-length: 9",
            b"content-length : 4",
            b"accept: */*",
            b"connection: keep-alive",
            b"connection: close",
            b"transfer-encoding: chunked",
            b"expect: 100-continue",
            b"a: b\r\n\tc",
            b"content-lengthx: 3",
            b"x-content-length: 5",
        ]
    ),
    max_size=3,
)


@settings(max_examples=examples(400), deadline=None)
@given(
    HEADS,
    st.lists(
        st.tuples(st.binary(max_size=12), st.integers(0, 12), st.integers(-1, 300), st.binary(max_size=2)),
        min_size=1,
        max_size=5,
    ),
)
def test_a_head_that_is_known_means_what_it_says(
    head: list[bytes], requests: list[tuple[bytes, int, int, bytes]]
) -> None:
    """A head that is not parsed again is read exactly as the parser reads it, also when a byte of it differs."""
    pieces = [post(b"first", b"/predictions", *head)]
    for body, claimed, at, other in requests:
        piece = bytearray(post(body, b"/predictions", *head))
        if claimed % 3 == 0:
            piece = bytearray(bytes(piece).replace(b"length: %d" % len(body), b"length: %d" % claimed))
        if 0 <= at < len(piece):
            piece[at : at + len(other)] = other
        pieces.append(bytes(piece))
    (known, sent), (parsed, expected) = talk(pieces), talk(pieces, quick=False)
    assert known.seen == parsed.seen
    assert sent.written == expected.written


def test_thousands_of_requests_behind_one_that_waits() -> None:
    """A client may send more small requests at once than Python may nest calls; all are answered in order."""
    many = 3000
    app, transport = talk([post(b"", b"/hold") + post(b"x") * many])
    assert len(app.seen) == many + 1
    assert len(ANSWERS.findall(transport.written)) == many + 1


def test_a_held_request_that_says_close_is_the_last() -> None:
    """What waits behind a request that closes the connection is not begun."""
    app, transport = talk([post(b"", b"/hold", b"connection: close") + post(b"x") * 3])
    assert [path for _, path, _, _ in app.seen] == [b"/hold"]
    assert transport.closed
