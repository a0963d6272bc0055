"""The HTTP front by hand: pipelining, chunks, limits, and what is no HTTP at all."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from tests.integration.model_server.live import Server, serving

HELLO = "class Predictor:\n    def predict(self, text: str) -> str:\n        return 'hello ' + text\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return one server for this module."""
    project = tmp_path_factory.mktemp("front")
    (project / "predict.py").write_text(HELLO)
    with serving(project) as found:
        yield found


def request(text: str, extra: str = "", method: str = "POST", path: str = "/predictions") -> bytes:
    """Return one request."""
    body = json.dumps({"input": {"text": text}}).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{extra}"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def answers(sock: socket.socket, count: int) -> list[tuple[int, dict[str, str], bytes]]:
    """Read that many answers."""
    found: list[tuple[int, dict[str, str], bytes]] = []
    data = b""
    while len(found) < count:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if separator:
            status, *lines = head.decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            size = int(headers.get("content-length", 0))
            if len(rest) >= size:
                found.append((int(status.split()[1]), headers, rest[:size]))
                data = rest[size:]
                continue
        more = sock.recv(65536)
        assert more, f"closed after {data!r}"
        data += more
    return found


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """Many requests sent at once get their answers in their order, on one connection."""
    with server.raw() as sock:
        sock.sendall(b"".join(request(str(number)) for number in range(40)))
        found = answers(sock, 40)
    assert [json.loads(body)["output"] for _, _, body in found] == [f"hello {number}" for number in range(40)]


def test_a_request_may_come_byte_by_byte(server: Server) -> None:
    """However a request is cut, it is understood."""
    with server.raw() as sock:
        for byte in request("slow"):
            sock.send(bytes([byte]))
        ((status, headers, body),) = answers(sock, 1)
    assert status == 200
    assert json.loads(body)["output"] == "hello slow"
    assert "date" in headers


@pytest.mark.parametrize("name", ["Upgrade", "upgrade", "UPGRADE"])
def test_an_offer_to_upgrade_loses_nothing(server: Server, name: str) -> None:
    """Java's client and `curl --http2` offer HTTP/2 each time: the body is read, and so is the next request."""
    offer = (
        f"Connection: Upgrade, HTTP2-Settings\r\n{name}: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    )
    with server.raw() as sock:
        for text in ("one", "two"):
            sock.sendall(request(text, offer))
            ((status, _, body),) = answers(sock, 1)
            assert (status, json.loads(body)["output"]) == (200, f"hello {text}")


def test_chunked_bodies_and_expectations(server: Server) -> None:
    """A chunked body is read; a client that asks first is told to go on."""
    body = b'{"input":{"text":"chunks"}}'
    head = b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with server.raw() as sock:
        sock.sendall(head + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for start in range(0, len(body), 5):
            piece = body[start : start + 5]
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        sock.sendall(b"0\r\n\r\n")
        ((status, _, answer),) = answers(sock, 1)
    assert (status, json.loads(answer)["output"]) == (200, "hello chunks")


def closed(sock: socket.socket) -> bool:
    """Say whether the server closes the connection."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n", 413),
        (b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    ],
)
def test_what_is_not_served_is_refused_and_closed(server: Server, data: bytes, status: int) -> None:
    """Malformed and oversized requests get a status, then the connection ends; the server goes on."""
    with server.raw() as sock:
        sock.sendall(data)
        ((found, headers, body),) = answers(sock, 1)
        assert found == status
        assert headers["connection"] == "close"
        assert json.loads(body)["detail"]
        assert closed(sock)
    assert server.health()["status"] == "READY"


@pytest.mark.parametrize(
    "end", ["X: ", "\r\n1\r\na\r\n0\r\nX: ", "\r\n1\r\na\r\n1;"], ids=["header", "trailer", "extension"]
)
def test_a_head_without_an_end_is_refused_while_it_comes(server: Server, end: str) -> None:
    """Long before it costs memory: a header, a trailer or a chunk's extension that goes on and on."""
    with server.raw() as sock:
        head = "POST /predictions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        sock.sendall((head + end).encode())
        with contextlib.suppress(ConnectionError):  # it is closed a moment after it has been answered
            for _ in range(8):
                sock.sendall(b"y" * 65_536)
        ((status, headers, _),) = answers(sock, 1)
    assert (status, headers["connection"]) == (431, "close")


def test_a_body_beyond_the_limit_is_refused_while_it_comes(server: Server) -> None:
    """A chunked body that grows over the limit is stopped, and its client gets to read why."""
    with server.raw() as sock:
        head = b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        sock.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"%x\r\n%s\r\n" % (1 << 20, b"x" * (1 << 20))
        for _ in range(101):
            sock.sendall(piece)
        ((status, _, _),) = answers(sock, 1)
    assert status == 413


def test_connections_are_kept_or_closed_as_asked(server: Server) -> None:
    """HTTP/1.1 stays open unless told; HTTP/1.0 closes; HEAD has a length and no body."""
    with server.raw() as sock:
        sock.sendall(request("a") + request("b", "Connection: close\r\n"))
        first, second = answers(sock, 2)
        assert "connection" not in first[1]
        assert second[1]["connection"] == "close"
        assert closed(sock)
    with server.raw() as sock:
        sock.sendall(b"GET /health-check HTTP/1.0\r\n\r\n")
        ((status, headers, _),) = answers(sock, 1)
        assert (status, headers["connection"]) == (200, "close")
        assert closed(sock)
    response = server.client.head("/health-check")
    assert response.status_code == 200
    assert int(response.headers["content-length"]) > 0


def test_an_upgrade_is_not_taken(server: Server) -> None:
    """A request to upgrade is answered as it stands, and HTTP/1.1 goes on."""
    with server.raw() as sock:
        for _ in range(2):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            ((status, _, body),) = answers(sock, 1)
            assert status == 200
            assert b"cog_version" in body


def test_the_docs_that_are_promised_are_there(server: Server) -> None:
    """The address in the discovery leads to a page about this model; Cog's own leads nowhere."""
    page = server.client.get(server.client.get("/").json()["docs_url"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<code>text</code>" in page.text


def test_an_unfinished_request_leaves_no_trace(server: Server) -> None:
    """A client that closes in the middle of its body starts nothing."""
    before = server.metric("cog_predict_seconds_count")
    with server.raw() as sock:
        sock.sendall(request("cut off")[:-5])
    assert server.metric("cog_predict_seconds_count") == before


def test_numbers_stay_exact(server: Server) -> None:
    """What a client wrote as an input comes back as it wrote it."""
    raw = b'{"input": {"text": "x" ,\n "text":"y"}}'
    with server.raw() as sock:
        head = b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        sock.sendall(head + b"Content-Length: %d\r\n\r\n" % len(raw) + raw)
        ((_, _, body),) = answers(sock, 1)
    assert b'"input":{"text": "x" ,\n "text":"y"}' in body
    assert json.loads(body)["output"] == "hello y"
