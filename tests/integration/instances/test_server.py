"""The client of a model server against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from cogyard.instances.errors import NotAcceptedError, ServerLostError
from cogyard.instances.events import CompletedEvent, LogEvent, OutputEvent, ServerEvent
from cogyard.instances.server import HttpModelServer, Run

pytestmark = pytest.mark.anyio
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
END = b'event: completed\ndata: {"status":"succeeded","output":"o","metrics":{"predict_time":1}}\n\n'
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _serving(answer: bytes | Answer) -> AsyncIterator[HttpModelServer]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ),
            0,
        )
        await reader.readexactly(length)
        if callable(answer):
            with suppress(ConnectionError):  # who has heard enough may hang up
                await answer(writer)
        else:
            writer.write(answer)
        writer.close()

    with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
        path = Path(folder) / "s"
        server = await asyncio.start_unix_server(handle, path)
        client = HttpModelServer(f"unix:{path}")
        try:
            yield client
        finally:
            await client.aclose()
            server.close()
            await server.wait_closed()


def _json(status: int, body: object) -> bytes:
    text = json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        status,
        len(text),
        text,
    )


async def _events(client: HttpModelServer) -> list[ServerEvent]:
    return [event async for event in client.predict(Run(id="p1", input={}))]


async def test_events_are_read_in_order() -> None:
    """Output, log and end, with comments and unknown events passed over."""
    stream = (
        EVENTS + b": hello\n\nevent: start\ndata: {}\n\nevent: output\nid: 1\ndata: "
        b'{"chunk":{"a":[1]},"index":0}\n\nevent: new\ndata: x\n\nevent: log\ndata: {"source":"stdout","data":"l"}\n\n'
    )
    async with _serving(stream + END) as client:
        output, log, end = await _events(client)
    assert output == OutputEvent(chunk={"a": [1]})
    assert log == LogEvent(text="l")
    assert end == CompletedEvent(status="succeeded", output="o", metrics={"predict_time": 1})


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        EVENTS,
        EVENTS + b'event: output\ndata: {"chunk":1}\n\n',
        EVENTS + b"event: output\ndata: {broken\n\n",
        EVENTS + b'event: completed\ndata: {"status":"sleeping"}\n\n',
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"not HTTP at all\r\n\r\n",
    ],
    ids=["nothing", "no event", "no end", "broken event", "odd end", "not a stream", "not HTTP"],
)
async def test_an_answer_that_breaks_off_is_a_lost_server(stream: bytes) -> None:
    """Whatever the break, the caller knows that the end is unknown."""
    async with _serving(stream) as client:
        with pytest.raises(ServerLostError):
            await _events(client)


@pytest.mark.parametrize("status", [409, 429, 503])
async def test_a_busy_server_did_not_take_it(status: int) -> None:
    """Full, unready or shutting down: the model never saw the prediction."""
    async with _serving(_json(status, {"detail": "later"})) as client:
        with pytest.raises(NotAcceptedError, match="later"):
            await _events(client)


async def test_a_server_that_is_not_there_did_not_take_it(tmp_path: Path) -> None:
    """No socket, no prediction; and no health."""
    client = HttpModelServer(f"unix:{tmp_path}/none")
    with pytest.raises(NotAcceptedError):
        await _events(client)
    assert await client.health() is None
    await client.cancel("p1")
    await client.aclose()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"detail": [{"loc": ["body", "input", "scale"], "msg": "must be at most 4"}]},
            "input.scale: must be at most 4",
        ),
        ({"detail": "no"}, "no"),
        ({}, "the model server refused the prediction without a reason"),
        ([], "the model server refused the prediction without a reason"),
    ],
)
async def test_a_refused_input_fails_the_prediction(body: object, error: str) -> None:
    """What the model server refuses for good is the prediction's error, in one line."""
    async with _serving(_json(422, body)) as client:
        (end,) = await _events(client)
    assert end == CompletedEvent(status="failed", error=error)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"status": 1}', b"\xff"])
async def test_nonsense_is_no_health(body: bytes) -> None:
    """A health check that can't be read is none."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with _serving(head + body) as client:
        assert await client.health() is None


async def test_setup_logs_come_with_the_health() -> None:
    """What setup() printed is read from the health check; none yet is an empty text."""
    for setup, logs in (({"logs": "loading\n"}, "loading\n"), (None, ""), ({"logs": None}, "")):
        async with _serving(_json(200, {"status": "STARTING", "setup": setup})) as client:
            health = await client.health()
        assert health is not None
        assert (health.status, health.setup_logs) == ("STARTING", logs)


@asynccontextmanager
async def _talking(*answers: bytes) -> AsyncIterator[tuple[HttpModelServer, list[int]]]:
    """Serve one answer after another on connections that stay open; the list counts the answers of each."""
    counts: list[int] = []
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts.append(0)
        place = len(counts) - 1
        try:
            while left:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
                counts[place] += 1
                writer.write(left.pop(0))
            await reader.read()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
        path = Path(folder) / "s"
        server = await asyncio.start_unix_server(handle, path)
        client = HttpModelServer(f"unix:{path}")
        try:
            yield client, counts
        finally:
            await client.aclose()
            server.close()
            await server.wait_closed()


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def test_a_connection_serves_one_prediction_after_another() -> None:
    """Streams, whole answers and refusals leave it usable; what only announces an answer is passed over."""
    stream = b"HTTP/1.1 103 Early\r\n\r\n" + CHUNKED + _chunk(END) + b"0\r\n\r\n"
    whole = _json(200, {"status": "succeeded", "output": 1, "logs": "l"})
    async with _talking(stream, whole, _json(422, {"detail": "no"}), stream) as (client, counts):
        ends = [(await _events(client))[-1] for _ in range(4)]
    assert [end.status for end in ends if isinstance(end, CompletedEvent)] == [
        *("succeeded", "succeeded", "failed", "succeeded")
    ]
    assert counts == [4]


async def test_an_outcome_does_not_wait_for_the_answer_to_end() -> None:
    """What was told is told; the next prediction gets a connection of its own meanwhile."""
    open_ended = CHUNKED + _chunk(END)
    async with asyncio.timeout(20):
        async with _talking(open_ended, CHUNKED + _chunk(END) + b"0\r\n\r\n") as (client, counts):
            for _ in range(2):
                (end,) = await _events(client)
                assert isinstance(end, CompletedEvent)
    assert counts == [1, 1]


async def test_a_server_that_asks_to_close_is_asked_on_another_connection() -> None:
    """A connection that its server gives up is not used again."""
    closing = _json(200, {"status": "succeeded"}).replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
    async with _talking(closing, closing) as (client, counts):
        for _ in range(2):
            await _events(client)
    assert counts == [1, 1]


async def test_headers_without_an_end_are_not_kept() -> None:
    """A server that never comes to its answer is lost, not waited for."""

    async def babble(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx: ")
        for _ in range(64):
            writer.write(b"x" * 4096)
            await writer.drain()

    async with asyncio.timeout(20):
        async with _serving(babble) as client:
            with pytest.raises(ServerLostError):
                await _events(client)


async def test_a_model_is_not_read_faster_than_it_is_heard() -> None:
    """A stream that nobody takes fills the server's buffers, not ours; nothing of it is lost."""
    count, chunk = 400, "x" * 20_000
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(EVENTS)
        for _ in range(count):
            writer.write(b'event: output\ndata: {"chunk":"%s"}\n\n' % chunk.encode())
            await writer.drain()
            sent += 1
        writer.write(END)
        await writer.drain()

    async with _serving(pour) as client:
        events = client.predict(Run(id="p1", input={}))
        assert isinstance(await anext(events), OutputEvent)
        before = -1
        while before != sent:
            before = sent
            for _ in range(50):
                await asyncio.sleep(0)
        assert sent < count
        assert len([event async for event in events]) == count
