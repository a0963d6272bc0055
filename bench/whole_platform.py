"""The platform: from a push to an answer, cold starts, rates, reads, streams, what it adds to a model server, memory.

    make bench-platform    or    .venv/bin/python bench/whole_platform.py [--only pushes,rates,…] [--json FILE]

Every platform is a `cogyard up` on a folder of its own with fsync on, its models built and pushed by `cog push`. What
is compared is asked in turns in the same run, by the same client. Prints a Markdown table of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import hosting  # type: ignore[import-not-found]  # beside this file
import load  # type: ignore[import-not-found]  # beside this file
import peers  # type: ignore[import-not-found]  # beside this file
import platform_rates  # type: ignore[import-not-found]  # beside this file
import platform_reads  # type: ignore[import-not-found]  # beside this file
import platform_streams  # type: ignore[import-not-found]  # beside this file

GROUPS = ("pushes", "latencies", "rates", "creates", "reads", "streams")
#: By the beginning of a row's name.
TARGETS = {
    "edit pushed to first answer": "1.5",
    "cold start to first answer": "0.8 and setup",
    "added to the model server alone, p50": "3",
    "added to the model server alone, p99": "15",
    "predictions/s, 16 connections: cogyard": "500, and as many as LitServe or Ray Serve",
    "creates accepted/s": "2,000",
    "GET a prediction": "p50 2",
    "list page": "10",
    "first token, added": "5",
    "100 streams at 50 tokens/s: tokens lost": "0",
    "idle platform": "150",
}
Figures = dict[str, list[float]]


def main() -> None:
    """Measure and print a table."""
    options = _options()
    figures: Figures = {}

    def note(name: str, value: float) -> None:
        figures.setdefault(name, []).append(value)

    loads = [os.getloadavg()[0]]
    for group in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="cogyard-bench-", ignore_cleanup_errors=True) as name:
            MEASURES[group](Path(name), options, note)
        loads.append(os.getloadavg()[0])
    _print(figures)
    said = ", ".join(f"{one:.1f}" for one in loads)
    print(f"\nruntime {options.runtime}, {os.cpu_count()} cores; load before and after each group: {said}")
    if options.json is not None:
        found = {"loads": loads, "runtime": options.runtime, "figures": figures}
        options.json.write_text(json.dumps(found, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime", default="sandbox")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rows", type=int, default=platform_reads.ROWS)
    parser.add_argument(
        "--peers", default="LitServe,Ray Serve", help="that serve the same model in the same run"
    )
    parser.add_argument("--only", default=",".join(GROUPS), help=f"some of {', '.join(GROUPS)}")
    parser.add_argument("--json", type=Path, help="where every figure of every round is written")
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(GROUPS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    return options


def pushes(folder: Path, options: argparse.Namespace, note: Callable[[str, float], None]) -> None:
    """Measure memory at rest, an edit's way to its first answer, and starts from zero with everything on disk."""
    project = folder / "hello"
    shutil.copytree(hosting.ROOT / "examples" / "hello-world", project)
    platform = hosting.Platform(folder, options.runtime, "idle_timeout=2")
    try:
        note("idle platform, MB resident", _memory(platform.process.pid))
        client = platform.client()
        for number in range(options.rounds + 1):
            (project / "predict.py").open("a").write(f"# {number}\n")
            begun = time.perf_counter()
            version = platform.push(project)
            platform.predict(client, version)
            if number:  # the first unpacks the base
                note("edit pushed to first answer, s", time.perf_counter() - begun)
        for _ in range(options.rounds):
            while _instances(platform):
                time.sleep(0.1)
            begun = time.perf_counter()
            platform.predict(client, version)
            note("cold start to first answer, s", time.perf_counter() - begun)
    finally:
        platform.stop()


def latencies(folder: Path, options: argparse.Namespace, note: Callable[[str, float], None]) -> None:
    """Ask the platform and a model server alone in turns, one request at a time."""
    project = folder / "hello"
    shutil.copytree(hosting.ROOT / "examples" / "hello-world", project)
    platform = hosting.Platform(folder, options.runtime)
    try:
        version = platform.push(project)
        given, expected = {"text": "Alice"}, b'"hello Alice"'
        alone = peers.Peer(name="alone", files=lambda _: {}, command=peers.OURS.command)
        server = alone.start("echo", project)
        try:
            through = load.Connection(platform.port, platform.create(version, given), expected)
            direct = load.Connection(server.port, alone.request("echo", given), expected)
            mine, theirs = [], []
            for number in range(options.requests + 20):
                one, two = load.once(direct), load.once(through)
                if number >= 20:
                    theirs.append(one)
                    mine.append(two)
        finally:
            server.stop()
    finally:
        platform.stop()
    for word, share in (("p50", 0.5), ("p99", 0.99)):
        note(f"added to the model server alone, {word}, ms", 1000 * (_at(mine, share) - _at(theirs, share)))


def rates(folder: Path, options: argparse.Namespace, note: Callable[[str, float], None]) -> None:
    """Predictions a second, beside others."""
    platform = hosting.Platform(folder, options.runtime)
    try:
        named = tuple(name for name in options.peers.split(",") if name)
        platform_rates.throughput(platform, named, options.rounds, options.seconds, note)
    finally:
        platform.stop()


def creates(folder: Path, options: argparse.Namespace, note: Callable[[str, float], None]) -> None:
    """Creates a second while nothing runs."""
    platform_rates.creates(folder, options.runtime, options.seconds, note)


def reads(folder: Path, options: argparse.Namespace, note: Callable[[str, float], None]) -> None:
    """One prediction and pages of the list among a million."""
    platform_reads.reads(folder, options.runtime, options.rows, note)


def streams(folder: Path, options: argparse.Namespace, note: Callable[[str, float], None]) -> None:
    """First tokens, and many streams at once."""
    platform = hosting.Platform(folder, options.runtime)
    try:
        platform_streams.streams(platform, options.rounds, note)
    finally:
        platform.stop()


MEASURES: dict[str, Callable[[Path, argparse.Namespace, Callable[[str, float], None]], None]] = {
    "pushes": pushes,
    "latencies": latencies,
    "rates": rates,
    "creates": creates,
    "reads": reads,
    "streams": streams,
}


def _instances(platform: hosting.Platform) -> int:
    words = [str(hosting.BIN / "cogyard"), "status", "--json", "--data-dir", str(platform.data)]
    said = subprocess.run(words, env=platform.env, check=True, capture_output=True, text=True).stdout
    return len(json.loads(said).get("instances", []))


def _memory(pid: int) -> float:
    """Return a process's resident memory in MB, after a moment without work."""
    time.sleep(2)
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _print(figures: Figures) -> None:
    print("| what | median | worst | best | target |\n|---|---|---|---|---|")
    for name, values in figures.items():
        target = next((TARGETS[word] for word in TARGETS if name.startswith(word)), "")
        more_is_better = "/s" in name or "whole" in name
        worst, best = (min, max) if more_is_better else (max, min)
        cells = [statistics.median(values), *((worst(values), best(values)) if len(values) > 1 else ())]
        shown = [_shown(cell) for cell in cells] + [""] * (3 - len(cells))
        print(f"| {name} | {' | '.join(shown)} | {target} |")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


if __name__ == "__main__":
    main()
