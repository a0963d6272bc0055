"""Connections to a model server whose other end is the model's: it may send what, and as much as, it likes."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from cogyard.instances.lines import Line, Lines

pytestmark = pytest.mark.anyio
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SECOND = b"HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\nevil"
MANY = 64 << 20


@asynccontextmanager
async def _line() -> AsyncIterator[tuple[Lines, Line, socket.socket]]:
    """Give a new line, and the socket at its other end."""
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
        path = str(Path(folder) / "s")
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(path)
            listening.listen()
            listening.setblocking(False)
            lines = Lines(f"unix:{path}")
            line = await lines.take()
            peer, _ = await loop.sock_accept(listening)
            peer.setblocking(False)
            with closing(peer):
                try:
                    yield lines, line, peer
                finally:
                    lines.close()


async def _send(peer: socket.socket, data: bytes) -> bool:
    """Send all of it; False when the other end did not want it."""
    try:
        await asyncio.get_running_loop().sock_sendall(peer, data)
    except ConnectionError:
        return False
    return True


async def _asked(line: Line, peer: socket.socket, answer: bytes) -> tuple[int, bytes]:
    line.ask(b"GET / HTTP/1.1\r\nhost: model\r\n\r\n", silence=20)
    await asyncio.get_running_loop().sock_recv(peer, 1000)
    await _send(peer, answer)
    return await line.status(), await line.body(100)


async def _closed(peer: socket.socket) -> bool:
    """Whether the other end ends the connection."""
    async with asyncio.timeout(20):
        try:
            return await asyncio.get_running_loop().sock_recv(peer, 1) == b""
        except ConnectionError:
            return True


async def test_what_comes_unasked_on_a_kept_line_ends_it() -> None:
    """A model that goes on sending after its answer fills no memory, and its words answer no later question."""
    async with _line() as (lines, line, peer):
        assert await _asked(line, peer, OK) == (200, b"ok")
        line.leave()
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"
        assert not (await _send(peer, head + b"x" * MANY) and await _send(peer, b"x" * MANY))
        assert not line.usable
        assert not line._pieces
        assert line not in lines._kept or not line.usable


async def test_an_answer_that_comes_before_the_question_is_none() -> None:
    """What a server says before it is asked ends the connection."""
    async with _line() as (_, line, peer):
        await _send(peer, OK)
        assert await _closed(peer)
        assert not line.usable


async def test_a_second_answer_is_not_mixed_into_the_first() -> None:
    """Two answers in one packet: the first is the answer, and the line is not used again."""
    async with _line() as (lines, line, peer):
        assert await _asked(line, peer, OK + SECOND) == (200, b"ok")
        line.leave()
        assert not line.usable
        assert lines._kept == []


async def test_trailers_that_do_not_end_are_cut_off() -> None:
    """Headers after the body are bounded as those before it are."""
    async with _line() as (_, line, peer):
        line.ask(b"GET / HTTP/1.1\r\nhost: model\r\n\r\n", silence=20)
        await asyncio.get_running_loop().sock_recv(peer, 1000)
        start = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: "
        sending = asyncio.ensure_future(_send(peer, start + b"y" * MANY))
        with pytest.raises(ConnectionError):
            await line.body(100)
        assert not await sending


async def test_a_line_is_used_again_after_many_chunks() -> None:
    """The bound is on what is no body: a long answer of small parts is whole, and the line is kept."""
    body = b"".join(b"1\r\nx\r\n" for _ in range(40_000))
    answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    async with _line() as (lines, line, peer):
        line.ask(b"GET / HTTP/1.1\r\nhost: model\r\n\r\n", silence=20)
        await asyncio.get_running_loop().sock_recv(peer, 1000)
        sending = asyncio.ensure_future(_send(peer, answer))
        assert await line.status() == 200
        assert len(await line.body(100_000)) == 40_000
        assert await sending
        line.leave()
        assert await lines.take() is line
