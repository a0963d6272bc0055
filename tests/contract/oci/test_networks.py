"""Both networks carry requests in the same way; the other side is a socket that says exactly what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from cogyard.oci.httpx_network import HttpxNetwork
from cogyard.oci.network import Network, NetworkError, NoConnectionError, Response
from cogyard.oci.plain_network import PlainNetwork

pytestmark = pytest.mark.anyio


def _unwanted() -> Network:
    raise AssertionError("everything here is http to this machine")


@pytest.fixture(params=["plain", "httpx"])
async def network(request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    """Give each network in turn."""
    made: Network = PlainNetwork(_unwanted) if request.param == "plain" else HttpxNetwork(trust_env=False)
    yield made
    await made.close()


@dataclass
class Other:
    """The other side of connections: `answers` are bytes to send, one for each request, in their order."""

    answers: list[bytes]
    port: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    closing: bool = False
    """Whether a connection is closed after each answer."""
    serving: list[asyncio.Task[None]] = field(default_factory=list)
    reading: bool = True
    """Whether bodies are read before the answer is sent."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        if (task := asyncio.current_task()) is not None:
            self.serving.append(task)
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = _header(head, "content-length")
                self.bodies.append(await reader.readexactly(int(length or 0)) if self.reading else b"")
                writer.write(self.answers.pop(0))
                await writer.drain()
                if not self.reading:
                    await writer.wait_closed()
                if self.closing:
                    break


def _header(head: str, name: str) -> str | None:
    lines = [line.partition(":") for line in head.split("\r\n")[1:]]
    return next((value.strip() for key, _, value in lines if key.lower() == name), None)


@asynccontextmanager
async def other(*answers: bytes, closing: bool = False, reading: bool = True) -> AsyncIterator[Other]:
    """Give the other side while it listens."""
    made = Other(list(answers), closing=closing, reading=reading)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in made.serving:
            task.cancel()
        await asyncio.gather(*made.serving, return_exceptions=True)


async def read(response: Response) -> bytes:
    """Return a whole body."""
    async with aclosing(response.chunks()) as chunks:  # type: ignore[type-var] # generators, both
        return b"".join([chunk async for chunk in chunks])


async def ask(network: Network, url: str, method: str = "GET", *, follow: bool = False) -> tuple[int, bytes]:
    """Send a request without a body; return status and body of its answer."""
    async with network.send(method, url, {}, follow=follow) as response:
        return response.status, await read(response)


async def pieces(*chunks: bytes) -> AsyncGenerator[bytes, None]:
    """Yield a body in pieces."""
    for chunk in chunks:
        yield chunk


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_request_and_its_answer(network: Network) -> None:
    """Method, path, query, headers and body arrive; status, headers and body come back; a name twice is one list."""
    async with other(b"HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc") as peer:
        url = f"{peer.url}/v2/a/b%3Ac?x=1&y=%2F"
        async with network.send("POST", url, {"X-B": "b"}, b"body") as response:
            assert (response.status, response.headers["x-a"], await read(response)) == (201, "1, 2", b"abc")
            assert response.url == url
    assert peer.heads[0].startswith("POST /v2/a/b%3Ac?x=1&y=%2F HTTP/1.1\r\n")
    assert _header(peer.heads[0], "x-b") == "b"
    assert _header(peer.heads[0], "host") == f"127.0.0.1:{peer.port}"
    assert _header(peer.heads[0], "accept-encoding") == "identity"
    assert peer.bodies == [b"body"]


async def test_a_connection_is_used_again(network: Network) -> None:
    """Requests one after another share one, whatever framed their answers."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    empty = b"HTTP/1.1 204 No Content\r\n\r\n"
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    async with other(OK, chunked, empty, interim + OK) as peer:
        assert [await ask(network, peer.url) for _ in range(4)] == [
            (200, b"ok"), (200, b"abcde"), (204, b""), (200, b"ok"),
        ]  # fmt: skip
    assert peer.connections == 1


async def test_the_answer_to_head_has_no_body(network: Network) -> None:
    """Its Content-Length is that of the answer to GET, and is not waited for."""
    async with other(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n", OK) as peer:
        async with network.send("HEAD", peer.url, {}) as response:
            assert (response.headers["content-length"], await read(response)) == ("900000", b"")
        assert await ask(network, peer.url) == (200, b"ok")


async def test_an_answer_without_a_length_ends_with_the_connection(network: Network) -> None:
    """As HTTP/1.0 had it."""
    async with other(b"HTTP/1.1 200 OK\r\n\r\nall of it", closing=True) as peer:
        assert await ask(network, peer.url) == (200, b"all of it")


async def test_a_body_in_pieces_arrives_whole(network: Network) -> None:
    """Its length is what the caller has said."""
    async with other(OK) as peer:
        body = pieces(b"a" * 300_000, b"b" * 300_000)
        async with network.send("PUT", peer.url, {"Content-Length": "600000"}, body) as response:
            assert response.status == 200
            await read(response)
    assert peer.bodies == [b"a" * 300_000 + b"b" * 300_000]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
    ids=["half a body", "half a chunk", "nothing", "half a head", "another protocol", "endless headers"],
)
async def test_what_is_no_whole_answer_is_an_error(network: Network, answer: bytes) -> None:
    """A break, another protocol, headers without end."""
    async with other(answer, closing=True) as peer:
        with pytest.raises(NetworkError) as caught:
            await ask(network, peer.url)
    assert not isinstance(caught.value, NoConnectionError)
    assert str(caught.value)


async def test_nobody_listens(network: Network) -> None:
    """That is another error than a connection that breaks."""
    async with other() as peer:
        pass
    with pytest.raises(NoConnectionError):
        await ask(network, peer.url)


async def test_redirections_are_followed_when_asked(network: Network) -> None:
    """The Authorization header stays with the host that it was for."""
    async with other(OK) as last, other() as first:
        first.answers = [
            b"HTTP/1.1 307 There\r\nLocation: /second\r\nContent-Length: 2\r\n\r\nno",
            f"HTTP/1.1 302 There\r\nLocation: {last.url}/x\r\nContent-Length: 0\r\n\r\n".encode(),
            b"HTTP/1.1 302 There\r\nLocation: /second\r\nContent-Length: 0\r\n\r\n",
        ]
        async with network.send("GET", first.url, {"Authorization": "secret"}, follow=True) as response:
            assert (response.status, response.url) == (200, f"{last.url}/x")
            await read(response)
        assert await ask(network, first.url) == (302, b"")
    assert [_header(head, "authorization") for head in (*first.heads[:2], *last.heads)] == ["secret"] * 2 + [
        None
    ]


async def _refuses(network: Network, make: Callable[[], AsyncGenerator[bytes, None]]) -> int:
    too_large = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    async with (
        other(too_large, reading=False) as peer,
        network.send("PUT", peer.url, {"Content-Length": str(64 << 20)}, make()) as response,
    ):
        return response.status


async def test_an_early_answer_ends_the_sending() -> None:
    """A registry that refuses a blob by its length is not sent all of it; the connection is not used again."""
    sent = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield bytes(1 << 20)

    network = PlainNetwork(_unwanted)
    assert await _refuses(network, endless) == 413
    assert sent < 64
    await network.close()


async def test_a_connection_that_was_closed_while_it_waited_is_replaced() -> None:
    """The other side may close one at any moment; that is no failure as long as nothing of an answer has come."""
    network = PlainNetwork(_unwanted)
    async with other(OK, OK, closing=True) as peer:
        assert [await ask(network, peer.url) for _ in range(2)] == [(200, b"ok")] * 2
    assert peer.connections == 2
    await network.close()


async def test_what_is_not_http_to_this_machine_goes_elsewhere() -> None:
    """TLS, names and proxies are another network's; it is made once, when it is needed."""
    seen: list[str] = []

    class Elsewhere:
        @asynccontextmanager
        async def send(self, method: str, url: str, *_: object, **__: object) -> AsyncIterator[Response]:
            seen.append(f"{method} {url}")
            async with inner.send(method, peer.url, {}) as response:
                yield response

        async def close(self) -> None:
            seen.append("closed")

    async with other(b"HTTP/1.1 302 There\r\nLocation: https://far.example/x\r\n\r\n", OK) as peer:
        inner = HttpxNetwork(trust_env=False)
        network = PlainNetwork(Elsewhere)
        peer.closing = True
        assert await ask(network, peer.url, follow=True) == (200, b"ok")
        await network.close()
        await inner.close()
    assert seen == ["GET https://far.example/x", "closed"]


async def test_an_address_with_a_line_end_makes_no_second_request() -> None:
    """A registry names addresses that we go to; none of them writes into our requests."""
    network = PlainNetwork(_unwanted)
    async with other(OK, OK) as peer:
        await ask(network, f"{peer.url}/a b\r\nX: 1/ü?q=\r\n")
        with pytest.raises(NetworkError):
            async with network.send("GET", peer.url, {"Authorization": "a\r\nX: 1"}):
                pass
    assert len(peer.heads) == 1
    assert peer.heads[0].startswith("GET /a%20bX:%201/%C3%BC?q= HTTP/1.1\r\n")
    await network.close()


async def test_a_second_answer_that_nobody_asked_for_is_none() -> None:
    """It changes nothing of the first, in the same packet though it is, and answers no later request."""
    second = b"HTTP/1.1 500 No\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil"
    network = PlainNetwork(_unwanted)
    async with other(OK + second, OK) as peer:
        async with network.send("GET", peer.url, {}) as response:
            assert (response.status, await read(response)) == (200, b"ok")
            assert "x-evil" not in response.headers
        assert await ask(network, peer.url) == (200, b"ok")
        assert peer.connections == 2
    await network.close()


async def test_trailers_without_end_are_an_error() -> None:
    """Headers after the body are bounded as those before it are."""
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: "
    network = PlainNetwork(_unwanted)
    async with other(start + b"x" * 1_000_000, closing=True) as peer:
        with pytest.raises(NetworkError, match="65536 bytes"):
            await ask(network, peer.url)
    await network.close()
