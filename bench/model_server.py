"""The model server against coglet 0.23.1 on this machine: the same model, peers alternating in one run.

    make bench            or    .venv/bin/python bench/model_server.py [--rounds N] [--only-ours]

Prints a Markdown table. Takes about three minutes; the first run also installs coglet below .cache.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import load  # type: ignore[import-not-found]  # run as a script: its folder is on the path
import peers  # type: ignore[import-not-found]  # as above

ECHO = """
class Predictor:
    def predict(self, text: str) -> str:
        return "hello " + text
"""
STREAM = """
import cog
class Predictor:
    @cog.streaming
    def predict(self, n: int) -> cog.ConcatenateIterator[str]:
        for number in range(n):
            yield f"token{number} "
"""
ASYNC_STREAM = """
import cog
class Predictor:
    @cog.streaming
    async def predict(self, n: int) -> cog.AsyncConcatenateIterator[str]:
        for number in range(n):
            yield f"token{number} "
"""
PACED = """
import time, cog
class Predictor:
    @cog.streaming
    def predict(self, n: int) -> cog.ConcatenateIterator[str]:
        for number in range(n):
            time.sleep(0.001)
            yield f"token{number} "
"""
ASYNC_PACED = """
import asyncio, cog
class Predictor:
    @cog.streaming
    async def predict(self, n: int) -> cog.AsyncConcatenateIterator[str]:
        for number in range(n):
            await asyncio.sleep(0.001)
            yield f"token{number} "
"""
SLOTS = """
import asyncio, cog
class Predictor:
    @cog.concurrent(max=32)
    async def predict(self, text: str) -> str:
        await asyncio.sleep(0.01)
        return "hello " + text
"""
FILES = """
import pathlib, tempfile, cog
class Predictor:
    def predict(self, file: cog.Path) -> cog.Path:
        out = pathlib.Path(tempfile.mkdtemp()) / "out.bin"
        out.write_bytes(pathlib.Path(file).read_bytes())
        return cog.Path(out)
"""
LOGS = """
class Predictor:
    def predict(self, n: int) -> int:
        for number in range(n):
            print(f"line {number} of what a model has to say")
        return n
"""
PROJECTS = {
    "echo": ECHO,
    "SSE, sync": STREAM,
    "SSE, async": ASYNC_STREAM,
    "SSE at 1 ms a token, sync": PACED,
    "SSE at 1 ms a token, async": ASYNC_PACED,
    "slots": SLOTS,
    "files": FILES,
    "logs": LOGS,
}
TOKENS = 1000
PACED_TOKENS = 50
LINES = 10_000
FILE = 5 << 20
SECONDS = 1.5
LATEST = 120.0
"""Seconds after which no further round is begun."""

Start = Callable[..., peers.Running]
Figures = dict[str, dict[str, list[float]]]


def main() -> int:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-ours", action="store_true")
    arguments = parser.parse_args()
    starts: list[Start] = [peers.ours]
    if not arguments.only_ours:
        peers.install_coglet()
        starts.append(peers.coglet)
    begun = time.perf_counter()
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        projects = {name: Path(folder) / str(number) for number, name in enumerate(PROJECTS)}
        for name, source in PROJECTS.items():
            write_project(projects[name], source)
        for number in range(arguments.rounds):
            if time.perf_counter() - begun > LATEST:
                break
            # Whoever comes first in a round comes second in the next.
            for start in starts if number % 2 == 0 else starts[::-1]:
                measure_echo(start, projects["echo"], figures)
                for name in PROJECTS:
                    if name.startswith("SSE"):
                        measure_stream(start, projects[name], name, figures)
                measure_slots(start, projects["slots"], figures)
                measure_files(start, projects["files"], figures)
                measure_logs(start, projects["logs"], figures)
    print_table(figures)
    print(f"\nLoad of the machine at the end: {os.getloadavg()[0]:.1f}")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {time.perf_counter() - begun:.0f} s")
    return 1 if any(max(row.get("errors, 16 connections", [0])) for row in figures.values()) else 0


def write_project(project: Path, source: str) -> None:
    """Write a project as `cog build` leaves it: predictor and OpenAPI document."""
    (project / ".cog").mkdir(parents=True)
    (project / "predict.py").write_text(source)
    code = (
        "import asyncio, json, sys\n"
        "from pathlib import Path\n"
        "from cog_server.embedded import Model, ModelOptions\n"
        "async def main():\n"
        "    options = ModelOptions(python=Path(sys.executable), project=Path('.'), ref='predict.py:Predictor')\n"
        "    async with Model.start(options) as model:\n"
        "        print(json.dumps(model.schema))\n"
        "asyncio.run(main())\n"
    )
    document = subprocess.run(
        [sys.executable, "-c", code], cwd=project, check=True, capture_output=True, text=True
    ).stdout
    json.loads(document)
    (project / ".cog" / "openapi_schema.json").write_text(document)


def measure_echo(start: Start, project: Path, figures: Figures) -> None:
    """Start, then one connection, then sixteen."""
    running = start(project, "predict.py:Predictor")
    row = figures.setdefault(running.name, {})
    request = load.post("/predictions", {"input": {"text": "benchmark"}})
    expected = b'"hello benchmark"'
    try:
        load.run(running.port, 1, 0.3, request, expected)
        note(row, "start to READY, s", running.start_seconds)
        note(row, "memory PSS, MB", running.pss())
        for connections in (1, 16):
            before = running.cpu_seconds()
            seen = load.run(running.port, connections, SECONDS, request, expected)
            spent = running.cpu_seconds() - before
            where = f"{connections} connection{'s' if connections > 1 else ''}"
            note(row, f"requests/s, {where}", seen.rate)
            note(row, f"p50 ms, {where}", seen.percentile(0.50))
            note(row, f"p99 ms, {where}", seen.percentile(0.99))
            note(row, f"CPU ms a request, {where}", 1000 * spent / max(1, len(seen.latencies)))
            note(row, f"refused and sent again, {where}", seen.refused)
            note(row, f"errors, {where}", seen.errors)
    finally:
        running.stop()


def measure_stream(start: Start, project: Path, name: str, figures: Figures) -> None:
    """Stream tokens, several times, on one connection."""
    running = start(project, "predict.py:Predictor")
    row = figures.setdefault(running.name, {})
    paced = "1 ms" in name
    tokens = PACED_TOKENS if paced else TOKENS
    request = load.post("/predictions", {"input": {"n": tokens}}, accept="text/event-stream")
    try:
        connection = load.Connection(running.port, request, b"")
        for number in range(7 if paced else 11):
            before = running.exact_cpu_seconds()
            first, total, seen = load.stream(connection)
            if number:  # the first warms up
                note(row, f"{name}: first token, ms", 1000 * first)
                if paced:
                    note(row, f"{name}: CPU ms a token", 1000 * (running.exact_cpu_seconds() - before) / seen)
                else:
                    note(row, f"{name}: tokens/s", seen / total)
            time.sleep(0.02)  # coglet frees its slot after the answer
    finally:
        running.stop()


def measure_slots(start: Start, project: Path, figures: Figures) -> None:
    """Keep 32 async slots of 10 ms busy."""
    running = start(project, "predict.py:Predictor", slots=32)
    row = figures.setdefault(running.name, {})
    request = load.post("/predictions", {"input": {"text": "benchmark"}})
    try:
        load.run(running.port, 32, 0.3, request, b'"hello benchmark"')
        before = running.cpu_seconds()
        seen = load.run(running.port, 32, SECONDS, request, b'"hello benchmark"')
        spent = running.cpu_seconds() - before
        note(row, "32 async slots of 10 ms: requests/s", seen.rate)
        note(row, "32 async slots of 10 ms: CPU ms a request", 1000 * spent / max(1, len(seen.latencies)))
        note(row, "32 async slots of 10 ms: errors", seen.errors)
    finally:
        running.stop()


def measure_files(start: Start, project: Path, figures: Figures) -> None:
    """Send 5 MiB as a data URL and get them back as one."""
    running = start(project, "predict.py:Predictor")
    row = figures.setdefault(running.name, {})
    url = "data:application/octet-stream;base64," + base64.b64encode(os.urandom(FILE)).decode()
    request = load.post("/predictions", {"input": {"file": url}})
    try:
        connection = load.Connection(running.port, request, url[-1000:].encode() + b'"')
        held = running.peak()
        for number in range(7):
            before = running.exact_cpu_seconds()
            seconds = load.once(connection)
            if number:
                note(row, "5 MiB in and out: requests/s", 1 / seconds)
                note(row, "5 MiB in and out: CPU ms", 1000 * (running.exact_cpu_seconds() - before))
            else:
                note(row, "5 MiB in and out: peak memory of the server, files", (running.peak() - held) / 5)
            time.sleep(0.02)
    finally:
        running.stop()


def measure_logs(start: Start, project: Path, figures: Figures) -> None:
    """Print many lines."""
    running = start(project, "predict.py:Predictor")
    row = figures.setdefault(running.name, {})
    request = load.post("/predictions", {"input": {"n": LINES}})
    try:
        connection = load.Connection(running.port, request, f"line {LINES - 1} of".encode())
        for number in range(5):
            before = running.exact_cpu_seconds()
            seconds = load.once(connection)
            if number:
                note(row, "10,000 log lines: lines/s", LINES / seconds)
                note(row, "10,000 log lines: CPU ms", 1000 * (running.exact_cpu_seconds() - before))
            time.sleep(0.02)
    finally:
        running.stop()


def note(row: dict[str, list[float]], name: str, value: float) -> None:
    """Add one measurement."""
    row.setdefault(name, []).append(value)


def print_table(figures: Figures) -> None:
    """Print medians, and how many times better the first peer is than the second."""
    names = list(figures)
    ours = next((name for name in names if name == "cogyard"), names[0])
    others = [name for name in names if name != ours]
    print("| | " + " | ".join([ours, *others, *(f"ratio to {name}" for name in others)]) + " |")
    print("|---" * (1 + len(names) + len(others)) + "|")
    for key in figures[ours]:
        values = [statistics.median(figures[name].get(key, [float("nan")])) for name in (ours, *others)]
        more_is_better = "/s" in key
        ratios = []
        for value in values[1:]:
            low, high = (value, values[0]) if more_is_better else (values[0], value)
            ratios.append(f"{high / low:.1f}x" if low and "sent again" not in key else "")
        print("| " + " | ".join([key, *(shown(value) for value in values), *ratios]) + " |")


def shown(value: float) -> str:
    """Return a figure with three digits that count."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
