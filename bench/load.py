"""A load client: keep-alive HTTP over raw sockets, one thread, counting only what succeeded."""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: One place for every read of a stream: a fresh one of this size costs three system calls.
_INTO = memoryview(bytearray(1 << 18))
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

RETRY_SECONDS = 0.001
"""How long a refused request waits before it is sent again, so that refusals do not take all of a server's time."""


@dataclass
class Load:
    """What one run of the client saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    errors: int = 0

    @property
    def rate(self) -> float:
        """Successes in a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def count(self, connection: Connection, status: int, expected: bool) -> None:  # noqa: FBT001 - an answer's parts
        """Count one answer; a refused request stays begun, so that its latency is that of its final success."""
        if status in (409, 429, 503):
            self.refused += 1
            return
        if status in (200, 201) and expected:
            self.latencies.append(time.perf_counter() - connection.started)
        else:
            self.errors += 1
        connection.started = 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the successes was answered."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def post(path: str, body: object, accept: str = "*/*", headers: Mapping[str, str] = NO_HEADERS) -> bytes:
    """Return a whole request."""
    data = json.dumps(body).encode()
    length = {"Content-Type": "application/json", "Content-Length": str(len(data))}
    return _head("POST", path, {"Accept": accept, **length, **headers}) + data


def get(path: str, accept: str = "*/*", headers: Mapping[str, str] = NO_HEADERS) -> bytes:
    """Return a whole request without a body."""
    return _head("GET", path, {"Accept": accept, **headers})


def _head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *(f"{name}: {headers[name]}" for name in headers),
    ]
    return "\r\n".join((*lines, "\r\n")).encode()


class Connection:
    """One keep-alive connection with one request under way at a time."""

    def __init__(self, port: int, request: bytes, expected: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = request
        self.expected = expected
        self.started = 0.0
        #: One place for all answers: the client's own time is in every figure, so it takes no new memory for them.
        self._buffer = bytearray(1 << 18)
        self._filled = self._wanted = self._whole = 0

    def send(self) -> None:
        """Start a request; a retried one keeps its first start."""
        if not self.started:
            self.started = time.perf_counter()
        self.socket.sendall(self.request)

    def receive(self) -> tuple[int, bool] | None:
        """Read once; return the status and whether the expected text is there when the answer is whole."""
        size = self.socket.recv_into(memoryview(self._buffer)[self._filled :])
        if not size:
            raise ConnectionError("the server closed the connection")
        self._filled += size
        if not self._wanted:
            end = self._buffer.find(b"\r\n\r\n", 0, self._filled)
            found = _LENGTH.search(self._buffer, 0, end + 2) if end >= 0 else None
            if found is None:
                return None
            self._wanted = end + 4 + int(found[1])
            if self._wanted > len(self._buffer):
                self._buffer.extend(bytes(self._wanted - len(self._buffer)))
        if self._filled < self._wanted:
            return None
        answer = int(self._buffer[9:12]), self._buffer.find(self.expected, 0, self._wanted) >= 0
        self._whole = self._wanted
        self._filled = self._wanted = 0
        return answer

    def body(self) -> bytes:
        """Return the body of the last whole answer."""
        return bytes(self._buffer[self._buffer.find(b"\r\n\r\n") + 4 : self._whole])


def _run_one(port: int, seconds: float, request: bytes, expected: bytes) -> Load:
    """Run with one connection: blocking, so that waiting costs no system call of its own."""
    load = Load()
    connection = Connection(port, request, expected)
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        connection.send()
        while (answer := connection.receive()) is None:
            pass
        load.count(connection, *answer)
        if connection.started:
            time.sleep(RETRY_SECONDS / 10)
    load.seconds = time.perf_counter() - begun
    connection.socket.close()
    return load


def run(port: int, connections: int, seconds: float, request: bytes, expected: bytes) -> Load:
    """Keep `connections` requests under way for `seconds`. A 409, 429 or 503 is sent again and counted as refused."""
    if connections == 1:
        return _run_one(port, seconds, request, expected)
    load = Load()
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = Connection(port, request, expected)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    begun = time.perf_counter()
    end = begun + seconds
    refused: deque[tuple[float, Connection]] = deque()
    while (now := time.perf_counter()) < end:
        while refused and refused[0][0] <= now:
            refused.popleft()[1].send()
        for key, _ in selector.select((refused[0][0] if refused else end) - now):
            connection = key.data
            answer = connection.receive()
            if answer is None:
                continue
            load.count(connection, *answer)
            if connection.started:
                refused.append((time.perf_counter() + RETRY_SECONDS, connection))
            else:
                connection.send()
    load.seconds = time.perf_counter() - begun
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    selector.close()
    return load


def once(connection: Connection) -> float:
    """Send one request until it succeeds; return the seconds that its success took. Raises ValueError on another."""
    while True:
        begun = time.perf_counter()
        connection.send()
        while (answer := connection.receive()) is None:
            pass
        if answer in ((200, True), (201, True)):
            connection.started = 0.0
            return time.perf_counter() - begun
        if answer[0] not in (409, 429, 503):
            raise ValueError(f"the server answered {answer[0]}, or not what was expected")


def stream(connection: Connection, marker: bytes) -> tuple[float, float, int]:
    """Read one stream to its end; return (seconds to the first token, seconds in all, tokens).

    `marker` stands once for each token. A refused request is sent again, and the time starts anew. Raises ValueError
    when the answer is an error.
    """
    while True:
        begun = time.perf_counter()
        connection.socket.sendall(connection.request)
        size = connection.socket.recv_into(_INTO)
        status = bytes(_INTO[9:12])
        if status == b"200":
            return _read_stream(connection, marker, begun, size)
        if status not in (b"409", b"429", b"503"):
            raise ValueError(f"the server answered {status.decode(errors='replace')}")
        _skip(connection, size)
        time.sleep(RETRY_SECONDS)


def _read_stream(connection: Connection, marker: bytes, begun: float, size: int) -> tuple[float, float, int]:
    """Read on from the first `size` bytes."""
    first, seen, tail = 0.0, 0, b""
    while size:
        text = tail + _INTO[:size]
        count = text.count(marker)
        if count and not first:
            first = time.perf_counter() - begun
        seen += count
        if text.endswith(b"0\r\n\r\n"):
            return first, time.perf_counter() - begun, seen
        # What may be half of a marker is looked at again; a whole marker is not.
        tail = b"" if text.endswith(marker) else text[1 - len(marker) :]
        size = connection.socket.recv_into(_INTO)
    raise ConnectionError("the stream broke off")


def _skip(connection: Connection, size: int) -> None:
    """Read a refusal to its end."""
    answer = bytes(_INTO[:size])
    while size:
        head, end, body = answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and length is not None and len(body) >= int(length[1]):
            return
        size = connection.socket.recv_into(_INTO)
        answer += _INTO[:size]
    raise ConnectionError("the server closed the connection")
