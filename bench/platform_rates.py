"""How many predictions a second the platform makes durable and runs, and how many it accepts while nothing runs."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import hosting  # type: ignore[import-not-found]  # beside this file
import load  # type: ignore[import-not-found]  # beside this file
import models  # type: ignore[import-not-found]  # beside this file
import others  # type: ignore[import-not-found]  # beside this file
import peers  # type: ignore[import-not-found]  # beside this file
import running  # type: ignore[import-not-found]  # beside this file

#: What others serve the same model with; they keep nothing.
PEERS = {peer.name: peer for peer in (peers.OURS, *others.OTHERS)}
CONNECTIONS = 16
#: Whose setup() lasts longer than anything here.
COLD = """
import time
class Predictor:
    def setup(self) -> None:
        time.sleep(3600)
    def predict(self, text: str) -> str:
        return "hello " + text
"""
#: Fewer than the 10,000 that may wait for one version.
COLD_LIMIT = 9_000

Note = Callable[[str, float], None]


def throughput(
    platform: hosting.Platform, named: tuple[str, ...], rounds: int, seconds: float, note: Note
) -> None:
    """Ask the platform and others in turns for predictions of the same model, each by 16 connections that wait."""
    version = platform.push_predictor(models.PREDICTORS["echo"], "echo")
    request = platform.create(version, {"text": "benchmark"})
    body = {"version": version, "input": {"text": "benchmark"}}
    for _ in range(rounds):
        # However long an instance takes to start beside whatever else this machine does.
        platform.client().ask("POST", "/v1/predictions", body, prefer="wait=60")
        load.run(platform.port, 1, 0.5, request, b'"hello benchmark"')
        _measured("cogyard", platform.running, request, seconds, note)
        for name in named:
            peer = PEERS[name]
            peer.install()
            with tempfile.TemporaryDirectory() as folder:
                server = peer.start("echo", Path(folder))
                try:
                    asked = peer.request("echo", {"text": "benchmark"})
                    load.run(server.port, 1, 0.5, asked, b'"hello benchmark"')
                    called = "the model server alone" if peer is peers.OURS else name
                    _measured(called, server, asked, seconds, note)
                finally:
                    server.stop()


def _measured(name: str, server: running.Running, request: bytes, seconds: float, note: Note) -> None:
    before = server.cpu_seconds()
    seen = load.run(server.port, CONNECTIONS, seconds, request, b'"hello benchmark"')
    spent = server.cpu_seconds() - before
    if seen.errors:
        print(f"{name}: {seen.errors} errors", file=sys.stderr)
    note(f"predictions/s, {CONNECTIONS} connections: {name}", seen.rate)
    note(f"CPU ms a prediction: {name}", 1000 * spent / max(1, len(seen.latencies)))
    note(f"p99 ms: {name}", seen.percentile(0.99))


def creates(folder: Path, runtime: str, seconds: float, note: Note) -> None:
    """Ask for predictions of a model whose setup() does not end, and look that each that was accepted is kept."""
    platform = hosting.Platform(folder, runtime)
    try:
        version = platform.push_predictor(COLD, "cold")
        request = platform.create(version, {"text": "benchmark"}, {})
        # Its instance starts first: what is measured is how creates are taken, not how Python starts beside them.
        load.run(platform.port, 1, 0.2, request, b'"starting"')
        time.sleep(3)
        accepted, rates = _waiting(platform), []
        while seconds > 0 and accepted < COLD_LIMIT / 2:
            before = platform.running.cpu_seconds()
            seen = load.run(platform.port, CONNECTIONS, 1.0, request, b'"starting"')
            spent = platform.running.cpu_seconds() - before
            seconds -= seen.seconds
            accepted += len(seen.latencies)
            note("creates accepted/s, instance cold", seen.rate)
            note("CPU ms a create, instance cold", 1000 * spent / max(1, len(seen.latencies)))
            note("creates refused, instance cold", seen.refused + seen.errors)
            rates.append(seen.rate)
        kept = _waiting(platform)
        # The last of each connection may be kept and not answered any more.
        if not accepted <= kept <= accepted + CONNECTIONS * len(rates):
            raise ValueError(f"{accepted} were accepted, and {kept} are kept")
    finally:
        platform.stop()


def _waiting(platform: hosting.Platform) -> int:
    """Count what is in the queue, in the database itself."""
    (found,) = platform.data.glob("*.db")
    with sqlite3.connect(f"file:{found}?mode=ro", uri=True) as database:
        count: int = database.execute("SELECT count(*) FROM queue").fetchone()[0]
    return count
