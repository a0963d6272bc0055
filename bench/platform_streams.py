"""What the platform adds to a stream's first token, and whether a hundred streams at once all arrive whole."""

from __future__ import annotations

import json
import re
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import hosting  # type: ignore[import-not-found]  # beside this file
import load  # type: ignore[import-not-found]  # beside this file
import peers  # type: ignore[import-not-found]  # beside this file

STREAMS = 100
#: Of each stream: 50 a second for three seconds.
TOKENS, PAUSE = 150, 0.02
#: Each token is its number and the moment at which the model made it.
PACED = """
import asyncio, time, cog
class Predictor:
    @cog.streaming
    async def predict(self, n: int, pause: float) -> cog.AsyncConcatenateIterator[str]:
        begun = time.monotonic()
        for number in range(n):
            await asyncio.sleep(begun + number * pause - time.monotonic())
            yield f"{number}:{time.time():.6f} "
"""
_TOKEN = re.compile(rb"(?m)^data: (\d+):(\d+\.\d+) ")

Note = Callable[[str, float], None]


def streams(platform: hosting.Platform, rounds: int, note: Note) -> None:
    """Measure both."""
    version = platform.push_predictor(PACED, "paced", STREAMS)
    client = platform.client()
    body = {"version": version, "input": {"n": 1, "pause": 0}}
    client.ask("POST", "/v1/predictions", body, prefer="wait=60")
    _first_tokens(platform, version, note)
    for _ in range(rounds):
        _together(platform, version, note)


def _first_tokens(platform: hosting.Platform, version: str, note: Note) -> None:
    """Ask the platform and a model server alone in turns; the platform is asked twice, as clients do: create, watch."""
    given = {"n": 3, "pause": 0.005}
    asked = platform.create(version, given, {})
    alone = peers.Peer(
        name="alone",
        files=lambda _: {"predict.py": PACED, "cog.yaml": 'predict: "predict.py:Predictor"\n'},
        command=peers.OURS.command,
    )
    with tempfile.TemporaryDirectory() as folder:
        server = alone.start("slots", Path(folder))
        try:
            direct = load.Connection(
                server.port, load.post("/predictions", {"input": given}, accept="text/event-stream"), b""
            )
            through = load.Connection(platform.port, b"", b"")
            mine, theirs = [], []
            for number in range(220):
                one = load.stream(direct, b"event: output")[0]
                two = _watched(through, asked)
                if number >= 20:
                    theirs.append(1000 * one)
                    mine.append(1000 * two)
        finally:
            server.stop()
    note("first token through the platform, p50, ms", statistics.median(mine))
    note("first token, added, p50, ms", statistics.median(mine) - statistics.median(theirs))


def _stream(connection: load.Connection) -> str:
    """Return the path of the stream of the prediction that was created last."""
    path: str = urlsplit(json.loads(connection.body())["urls"]["stream"]).path
    return path


def _watched(connection: load.Connection, create: bytes) -> float:
    """Create a prediction, open its stream, and return the seconds until its first token."""
    begun = time.perf_counter()
    connection.request = create
    connection.send()
    while (answer := connection.receive()) is None:
        pass
    connection.started = 0.0
    if answer[0] != 201:
        raise ValueError(f"a create was answered with {answer[0]}")
    connection.request = load.get(_stream(connection), accept="text/event-stream")
    sent = time.perf_counter()
    first: float = load.stream(connection, b"event: output")[0]
    return sent - begun + first


@dataclass
class _Reader:
    """One stream as it comes."""

    socket: socket.socket
    rest: bytes = b""
    numbers: list[int] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    done: bool = False

    def read(self) -> None:
        """Take what has come."""
        data = self.socket.recv(1 << 16)
        now = time.time()
        text = self.rest + data
        cut = text.rfind(b"\n\n") + 2
        whole, self.rest = (text[:cut], text[cut:]) if cut > 1 else (b"", text)
        for number, made in _TOKEN.findall(whole):
            self.numbers.append(int(number))
            self.lags.append(now - float(made))
        self.done = not data or b"event: done" in whole


def _together(platform: hosting.Platform, version: str, note: Note) -> None:
    """Start all streams, watch each from its start to its end, and count what came."""
    create = platform.create(version, {"n": TOKENS, "pause": PAUSE}, {})
    connection, readers = load.Connection(platform.port, create, b""), []
    selector = selectors.DefaultSelector()
    before, begun = platform.running.cpu_seconds(), time.perf_counter()
    for _ in range(STREAMS):
        connection.send()
        while connection.receive() is None:
            pass
        reader = _Reader(socket.create_connection(("127.0.0.1", platform.port), timeout=60))
        reader.socket.sendall(load.get(_stream(connection), accept="text/event-stream"))
        selector.register(reader.socket, selectors.EVENT_READ, reader)
        readers.append(reader)
        for key, _events in selector.select(0):
            key.data.read()
    while selector.get_map() and time.perf_counter() - begun < 60:
        for key, _events in selector.select(1):
            key.data.read()
            if key.data.done:
                selector.unregister(key.fileobj)
    seconds = time.perf_counter() - begun
    for reader in readers:
        reader.socket.close()
    expected = list(range(TOKENS))
    whole = sum(reader.numbers == expected for reader in readers)
    lags = sorted(lag for reader in readers for lag in reader.lags)
    tokens = sum(len(reader.numbers) for reader in readers)
    name = f"{STREAMS} streams at {1 / PAUSE:.0f} tokens/s"
    if whole < STREAMS:
        print(f"{STREAMS - whole} of {STREAMS} streams were not whole and in order", file=sys.stderr)
    note(f"{name}: whole and in order", whole)
    note(f"{name}: tokens lost", STREAMS * TOKENS - tokens)
    note(f"{name}: seconds for {TOKENS * PAUSE:g} of them", seconds)
    for word, share in (("p50", 0.5), ("p99", 0.99)):
        note(
            f"{name}: from model to watcher, {word}, ms", 1000 * lags[int(len(lags) * share)] if lags else 0.0
        )
    note(f"{name}: CPU ms a token", 1000 * (platform.running.cpu_seconds() - before) / max(1, tokens))
