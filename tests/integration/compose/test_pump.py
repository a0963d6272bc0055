"""Files sent to real sockets by the pump, whole, in part, slowly, and not to the end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cogyard.compose.pump import THREADS, FileCutError, Pump

pytestmark = pytest.mark.anyio

CONTENT = os.urandom(1 << 20) * 8


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    """Give a descriptor of a file of 8 MiB."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    with path.open("rb") as opened:
        yield opened.fileno()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give two ends of a connection that do not block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # What is on the way is bounded: else all of the file could be, and a transfer that is to break off be over.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        one = socket.create_connection(listening.getsockname())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        two, _ = listening.accept()
    with one, two:
        one.setblocking(False)
        two.setblocking(False)
        yield one, two


def descriptors() -> int:
    """Return how many descriptors this process has."""
    return len([*Path("/proc/self/fd").iterdir()])


async def read(peer: socket.socket, count: int) -> bytes:
    """Return the next bytes, fewer at the end."""
    found = bytearray()
    while len(found) < count and (
        data := await asyncio.get_running_loop().sock_recv(peer, count - len(found))
    ):
        found += data
    return bytes(found)


@pytest.mark.parametrize(("offset", "count"), [(0, len(CONTENT)), (12345, 2 << 20), (5, 0), (5, 1)])
async def test_a_part_of_a_file_arrives(
    file: int, pair: tuple[socket.socket, socket.socket], offset: int, count: int
) -> None:
    """The very bytes; both descriptors stay the caller's, and the connection open."""
    pump = Pump()
    sending = asyncio.create_task(pump.send(pair[0].fileno(), file, offset, count))
    assert await read(pair[1], count) == CONTENT[offset : offset + count]
    await sending
    pair[0].send(b"more")
    assert await read(pair[1], 4) == b"more"
    assert os.fstat(file).st_size == len(CONTENT)


async def test_many_at_once_each_get_theirs(file: int) -> None:
    """A few threads serve them all, also those that read nothing for long."""
    pump, tasks, ends = Pump(), [], []
    for number in range(20):
        one, two = socket.socketpair()
        one.setblocking(False)
        two.setblocking(False)
        ends += [one, two]
        tasks.append(asyncio.create_task(pump.send(one.fileno(), file, number, 1 << 20)))
    for number in reversed(range(20)):
        assert await read(ends[2 * number + 1], 1 << 20) == CONTENT[number : number + (1 << 20)]
    await asyncio.gather(*tasks)
    for end in ends:
        end.close()


async def test_a_reader_that_goes_ends_the_transfer(
    file: int, pair: tuple[socket.socket, socket.socket]
) -> None:
    """With the connection's own error, and no descriptor left open."""
    pump = Pump()
    for _ in range(THREADS):  # each has a descriptor of its own from its first transfer on
        await pump.send(pair[0].fileno(), file, 0, 1)
    before = descriptors()
    sending = asyncio.create_task(pump.send(pair[0].fileno(), file, 0, len(CONTENT)))
    await read(pair[1], 1 << 20)
    pair[1].close()
    with pytest.raises(ConnectionError):
        await sending
    assert descriptors() == before - 1


async def test_a_caller_that_is_cancelled_ends_the_connection(
    file: int, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Half of an answer must not look whole: the other side sees the end."""
    sending = asyncio.create_task(Pump().send(pair[0].fileno(), file, 0, len(CONTENT)))
    begun = await read(pair[1], 1 << 20)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    rest = await read(pair[1], len(CONTENT))
    assert begun + rest == CONTENT[: len(begun) + len(rest)]
    assert len(begun) + len(rest) < len(CONTENT)


async def test_a_file_that_ends_early_is_an_error(
    file: int, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Nothing is made up in place of what is missing."""
    with pytest.raises(FileCutError, match="100 bytes early"):
        await Pump().send(pair[0].fileno(), file, len(CONTENT) - 10, 110)
