"""How much of a request's head is taken, at real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httptools
import pytest
import uvicorn
from cogyard.compose.heads import HEAD_LIMIT, HEADERS_LIMIT
from cogyard.compose.speaking import Speaking
from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio

BEGIN = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """Serve an application that reads all and says how much there was; give its port."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        body = str(size).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(app, port=0, http=Speaking, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def said(*parts: bytes) -> tuple[bytes, int]:
    """Send what is given, in parts, until the server hangs up; return its answer, and how much it let be sent."""
    async with served() as port, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer, sent = b"", 0
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                sent += len(part)
            answer = await reader.read(65536)
        except ConnectionError:
            answer = answer or await _left(reader)
        writer.close()
        return answer, sent


async def _left(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""


async def test_a_head_within_the_bounds_is_taken() -> None:
    """A long address, many headers, and a body of any size behind them."""
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(HEADERS_LIMIT - 2))
    body = bytes(4 << 20)
    head = b"POST /?q=" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n" + headers
    answer, _ = await said(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(str(len(body)).encode())


@pytest.mark.parametrize(
    "request_",
    [
        BEGIN + b"X: " + b"a" * HEAD_LIMIT + b"\r\n\r\n",
        b"GET /" + b"a" * HEAD_LIMIT + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        BEGIN + b"X: y\r\n" * HEADERS_LIMIT + b"\r\n",
    ],
    ids=["header", "address", "headers"],
)
async def test_a_whole_head_beyond_them_is_431(request_: bytes) -> None:
    """Also when it came in one read; the answer is a problem and names the limits."""
    answer, _ = await said(request_)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in answer
    assert str(HEAD_LIMIT).encode() in answer


@pytest.mark.parametrize(
    "begin",
    [BEGIN + b"X: ", b"GET /", CHUNKED + b"0\r\nX: ", CHUNKED + b"1;"],
    ids=["header", "address", "trailer", "extension"],
)
async def test_what_never_ends_is_ended(begin: bytes) -> None:
    """Whoever sends on without an end is hung up on long before it costs memory or anybody's time."""
    much = [b"a" * 65536] * 1024
    _, sent = await said(begin, *much)
    assert sent < sum(map(len, much)) // 2


async def test_endless_small_trailers_are_ended() -> None:
    """Each is whole, and there is no end of them."""
    _, sent = await said(CHUNKED + b"0\r\n", *[b"X: y\r\n" * 10_000] * 1024)
    assert sent < 60_000 * 512


async def test_two_hosts_are_refused() -> None:
    """A proxy may have let somebody in for the other one."""
    answer, _ = await said(BEGIN + b"Host: y\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_what_a_callback_raises_is_an_error_of_the_parser() -> None:
    """Which uvicorn answers: the bound rests on it."""
    assert issubclass(httptools.HttpParserCallbackError, httptools.HttpParserError)
