"""Whether what is sent is taken, at real connections; and what becomes of those at which it is not."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
import uvloop
from cogyard.compose.speaking import Speaking
from cogyard.compose.taking import Taking
from cogyard.compose.zerocopy import NAME, ZeroCopy
from starlette.types import ASGIApp, Receive, Scope, Send

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no other system tells")

MUCH = 64 << 20


class Hasty(Speaking):
    """Looks at once for what takes for ever."""

    patience = 0.05


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give two ends of a connection; the first does not wait when there is no room."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = socket.create_connection(listening.getsockname())
        two, _ = listening.accept()
    with one, two:
        one.setblocking(False)
        yield one, two


def fill(one: socket.socket) -> int:
    """Send until nothing more goes out; return how many bytes went."""
    sent = 0
    try:
        while True:
            sent += one.send(bytes(65536))
    except BlockingIOError:
        return sent


def read(two: socket.socket, count: int) -> None:
    """Read so many bytes."""
    while count:
        count -= len(two.recv(min(count, 65536)))


def test_nobody_is_slow_who_was_sent_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    """An idle connection is not stuck, before anything was sent and after all was taken."""
    taking = Taking()
    assert [taking.look(pair[0], 0) for _ in range(3)] == [False] * 3
    pair[0].send(b"hello")
    read(pair[1], 5)
    assert [taking.look(pair[0], 0) for _ in range(3)] == [False] * 3


def test_whoever_reads_nothing_is_stuck_until_they_do(pair: tuple[socket.socket, socket.socket]) -> None:
    """What waits without an end is noticed at the second look; reading makes up for it."""
    taking, sent = Taking(), fill(pair[0])
    assert [taking.look(pair[0], 0) for _ in range(3)] == [False, True, True]
    read(pair[1], sent)
    assert not taking.look(pair[0], 0)
    assert not taking.look(pair[0], 0)


def test_where_the_system_does_not_tell_nobody_is_slow() -> None:
    """A connection that is no TCP is left alone."""
    one, two = socket.socketpair()
    with one, two:
        one.send(bytes(100))
        assert [Taking().look(one, 100) for _ in range(2)] == [False, False]


async def written(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with much, in pieces."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(MUCH >> 16):
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
        await send({"type": "http.response.body"})


def sendfile(path: Path) -> ASGIApp:
    """Return an application that answers with a file, past this process."""
    with path.open("wb") as file:
        file.truncate(MUCH)

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = [(b"content-length", str(MUCH).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": length})
            with path.open("rb") as file:
                await send({"type": NAME, "file": file, "offset": 0, "count": MUCH})

    return answer


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Serve an application in haste; give its port, and what is set once it has ended its first answer."""
    ended = asyncio.Event()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            ended.set()

    config = uvicorn.Config(ZeroCopy(watched), port=0, http=Hasty, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1], ended
    finally:
        server.should_exit = True
        await task


async def leave_unread(app: ASGIApp) -> int:
    """Ask for much and read none until the server has given up; return how much had come till then."""
    async with served(app) as (port, ended):
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(60):
                await ended.wait()
            peer.settimeout(60)
            came = 0
            try:
                while found := await asyncio.to_thread(peer.recv, 1 << 20):
                    came += len(found)
            except ConnectionResetError:
                pass
            return came


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("way", ["written", "sendfile"])
def test_an_answer_that_nobody_reads_is_broken_off(way: str, loop: object, tmp_path: Path) -> None:
    """Neither a request nor a file of ours stays open for a client that asks and never reads."""
    app = written if way == "written" else sendfile(tmp_path / "much")
    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        assert runner.run(leave_unread(app)) < MUCH
