"""The model server against coglet 0.23.1 on this machine: the same model, peers alternating in one run.

    make bench            or    .venv/bin/python bench/model_server.py [--rounds N] [--only-ours]

Prints a Markdown table. Takes less than two minutes; the first run also installs coglet below .cache.
"""

from __future__ import annotations

import argparse
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
TOKENS = 1000
SECONDS = 2.0
LATEST = 100.0
"""Seconds after which no further round is begun."""

Start = Callable[[Path, str], peers.Running]
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
        echo, streaming = Path(folder) / "echo", Path(folder) / "stream"
        for project, source in ((echo, ECHO), (streaming, STREAM)):
            write_project(project, source)
        for number in range(arguments.rounds):
            if time.perf_counter() - begun > LATEST:
                break
            # Whoever comes first in a round comes second in the next.
            for start in starts if number % 2 == 0 else starts[::-1]:
                measure_echo(start, echo, figures)
                measure_stream(start, streaming, figures)
    print_table(figures)
    print(
        f"\n{os.cpu_count()} cores, Python {platform.python_version()}, {time.perf_counter() - begun:.0f} s"
    )
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


def measure_stream(start: Start, project: Path, figures: Figures) -> None:
    """Stream a thousand tokens, ten times."""
    running = start(project, "predict.py:Predictor")
    row = figures.setdefault(running.name, {})
    request = load.post("/predictions", {"input": {"n": TOKENS}}, accept="text/event-stream")
    try:
        for number in range(11):
            first, total, seen = load.stream(running.port, request)
            if number:  # the first warms up
                note(row, "SSE first token, ms", 1000 * first)
                note(row, f"SSE {TOKENS} tokens, ms", 1000 * total)
                note(row, "SSE tokens/s", seen / total)
            time.sleep(0.02)  # coglet frees its slot after the answer
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
