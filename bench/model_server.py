"""The model server against others on this machine: the same model, peers alternating in one run.

    make bench        or        .venv/bin/python bench/model_server.py [--rounds N] [--peers all|NAME,…] [--only KIND,…]

Prints a Markdown table of medians. Against coglet it takes about two minutes, against all about ten; the first run
also installs the peers below .cache.
"""

from __future__ import annotations

import argparse
import base64
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import load  # type: ignore[import-not-found]  # run as a script: its folder is on the path
import others  # type: ignore[import-not-found]  # as above
import peers  # type: ignore[import-not-found]  # as above
import running  # type: ignore[import-not-found]  # as above

TOKENS = 1000
PACED_TOKENS = 50
LINES = 10_000
FILE = 5 << 20
SECONDS = 1.5
CANCEL_SECONDS = 5.0
"""How long a canceled prediction may take to end; one that takes longer has no figure."""
LATEST = 120.0
"""Seconds for each peer after which no further round is begun."""
TITLES = {
    "stream": "SSE, sync",
    "async_stream": "SSE, async",
    "paced": "SSE at 1 ms a token, sync",
    "async_paced": "SSE at 1 ms a token, async",
}
PEERS = {
    peer.name.partition(" ")[0].lower()
    if peer.name.startswith("cog")
    else peer.name.lower().replace(" ", "-"): peer
    for peer in (peers.COGLET, peers.COG, *others.OTHERS)
}

Row = dict[str, list[float]]
Figures = dict[str, Row]


def main() -> int:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="coglet", help=f"all, none, or some of {', '.join(PEERS)}")
    parser.add_argument("--only", default=",".join(peers.ALL), help="kinds of predictions to measure")
    arguments = parser.parse_args()
    named = list(PEERS) if arguments.peers == "all" else arguments.peers.replace("none", "").split(",")
    chosen = [peers.OURS, *(PEERS[name] for name in named if name)]
    for peer in chosen:
        peer.install()
    kinds = arguments.only.split(",")
    begun = time.perf_counter()
    loads = [os.getloadavg()[0]]
    figures: Figures = {peer.name: {} for peer in chosen}
    for number in range(arguments.rounds):
        if time.perf_counter() - begun > LATEST * len(chosen):
            break
        # Whoever comes first in a round comes last in the next.
        for peer in chosen if number % 2 == 0 else chosen[::-1]:
            measure(peer, kinds, figures[peer.name])
        loads.append(os.getloadavg()[0])
    print_table(figures)
    print(f"\nLoad of the machine, before and after each round: {', '.join(f'{one:.1f}' for one in loads)}")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {time.perf_counter() - begun:.0f} s")
    return 1 if any(any(one.get("errors", [0])) for one in figures.values()) else 0


def measure(peer: peers.Peer, kinds: list[str], row: Row) -> None:
    """Measure one peer with every kind of prediction that it knows."""
    with tempfile.TemporaryDirectory() as folder, servers(peer, Path(folder)) as serve:
        for kind in peers.ALL:
            if kind in kinds and kind in peer.kinds:
                server = serve(kind)
                try:
                    MEASURES[kind](peer, server, kind, row)
                except (OSError, ValueError) as exc:  # one that cannot do it has no figure
                    print(f"{peer.name}, {kind}: {exc}", file=sys.stderr)


@contextmanager
def servers(peer: peers.Peer, folder: Path) -> Iterator[Callable[[str], running.Running]]:
    """Give what serves a kind: one server at a time, a new one for each kind unless the peer serves them all in one."""
    started: list[running.Running] = []

    def serve(kind: str) -> running.Running:
        if started and peer.shared:
            return started[0]
        while started:
            started.pop().stop()
        project = folder / kind
        project.mkdir()
        started.append(peer.start(kind, project))
        return started[0]

    try:
        yield serve
    finally:
        for server in started:
            server.stop()


def measure_echo(peer: peers.Peer, server: running.Running, kind: str, row: Row) -> None:
    """Start, then one connection, then sixteen."""
    request = peer.request(kind, {"text": "benchmark"})
    expected = b'"hello benchmark"'
    load.run(server.port, 1, 0.3, request, expected)
    note(row, "start to READY, s", server.start_seconds)
    note(row, "memory PSS, MB", server.pss())
    for connections in (1, 16):
        before = server.cpu_seconds()
        seen = load.run(server.port, connections, SECONDS, request, expected)
        spent = server.cpu_seconds() - before
        where = f"{connections} connection{'s' if connections > 1 else ''}"
        note(row, f"requests/s, {where}", seen.rate)
        note(row, f"p50 ms, {where}", seen.percentile(0.50))
        note(row, f"p99 ms, {where}", seen.percentile(0.99))
        note(row, f"CPU ms a request, {where}", 1000 * spent / max(1, len(seen.latencies)))
        note(row, f"refused and sent again, {where}", seen.refused)
        note(row, "errors", seen.errors)


def measure_stream(peer: peers.Peer, server: running.Running, kind: str, row: Row) -> None:
    """Stream tokens, several times, on one connection."""
    name, paced = TITLES[kind], "paced" in kind
    tokens = PACED_TOKENS if paced else TOKENS
    connection = load.Connection(server.port, peer.request(kind, {"n": tokens}), b"")
    for number in range(7 if paced else 21):
        before = server.exact_cpu_seconds()
        first, total, seen = load.stream(connection, peer.marker)
        if seen != tokens:
            raise ValueError(f"{seen} tokens came of {tokens}")
        if number:  # the first warms up
            note(row, f"{name}: first token, ms", 1000 * first)
            if paced:
                note(row, f"{name}: CPU ms a token", 1000 * (server.exact_cpu_seconds() - before) / seen)
            else:
                note(row, f"{name}: tokens/s", seen / total)
        time.sleep(0.02)  # coglet frees its slot after the answer


def measure_slots(peer: peers.Peer, server: running.Running, kind: str, row: Row) -> None:
    """Keep 32 async slots of 10 ms busy."""
    request, expected = peer.request(kind, {"text": "benchmark"}), b'"hello benchmark"'
    load.run(server.port, peers.SLOTS, 0.3, request, expected)
    before = server.cpu_seconds()
    seen = load.run(server.port, peers.SLOTS, SECONDS, request, expected)
    spent = server.cpu_seconds() - before
    note(row, "32 async slots of 10 ms: requests/s", seen.rate)
    note(row, "32 async slots of 10 ms: CPU ms a request", 1000 * spent / max(1, len(seen.latencies)))
    note(row, "errors", seen.errors)


def measure_files(peer: peers.Peer, server: running.Running, kind: str, row: Row) -> None:
    """Send 5 MiB as a data URL and get them back as one."""
    url = "data:application/octet-stream;base64," + base64.b64encode(os.urandom(FILE)).decode()
    connection = load.Connection(server.port, peer.request(kind, {"file": url}), url[-1000:].encode() + b'"')
    held = server.peak()
    for number in range(11):
        before = server.exact_cpu_seconds()
        seconds = load.once(connection)
        if number:
            note(row, "5 MiB in and out: requests/s", 1 / seconds)
            note(row, "5 MiB in and out: CPU ms", 1000 * (server.exact_cpu_seconds() - before))
        time.sleep(0.02)
    if (
        peer.kinds == peers.ALL
    ):  # elsewhere the model's own memory is in it, or the server is several processes
        note(row, "5 MiB in and out: peak memory of the server, files", (server.peak() - held) / 5)


def measure_logs(peer: peers.Peer, server: running.Running, kind: str, row: Row) -> None:
    """Print many lines."""
    request = peer.request(kind, {"n": LINES})
    connection = load.Connection(server.port, request, f"line {LINES - 1} of".encode())
    for number in range(5):
        before = server.exact_cpu_seconds()
        seconds = load.once(connection)
        if number:
            note(row, "10,000 log lines: lines/s", LINES / seconds)
            note(row, "10,000 log lines: CPU ms", 1000 * (server.exact_cpu_seconds() - before))
        time.sleep(0.02)


def measure_cancel(peer: peers.Peer, server: running.Running, kind: str, row: Row) -> None:  # noqa: ARG001 - as the others
    """Cancel a prediction that sleeps in C; how long until whoever waits for it is answered."""
    taken = []
    for number in range(21):
        name = f"cancel{number}"
        asked = load.post("/predictions", {"id": name, "input": {"seconds": 30.0}})
        waiting = load.Connection(server.port, asked, b"canceled")
        waiting.socket.settimeout(CANCEL_SECONDS)
        waiting.send()
        time.sleep(0.05)
        begun = time.perf_counter()
        stop = load.Connection(server.port, load.post(f"/predictions/{name}/cancel", {}), b"")
        stop.send()
        while (answer := waiting.receive()) is None:
            pass
        if answer != (200, True):
            raise ValueError(f"the canceled prediction was answered {answer}")
        taken.append(1000 * (time.perf_counter() - begun))
        for connection in (stop, waiting):
            connection.socket.close()
        time.sleep(0.02)
    for each in taken[1:]:
        note(row, "cancel of a sleep, ms", each)
    note(row, "cancel of a sleep, ms, the slowest of 20", max(taken[1:]))


MEASURES: dict[str, Callable[[peers.Peer, running.Running, str, Row], None]] = {
    "echo": measure_echo,
    **dict.fromkeys(peers.STREAMS, measure_stream),
    "slots": measure_slots,
    "files": measure_files,
    "logs": measure_logs,
    "cancel": measure_cancel,
}


def note(row: Row, name: str, value: float) -> None:
    """Add one measurement."""
    row.setdefault(name, []).append(value)


def print_table(figures: Figures) -> None:
    """Print medians, and in brackets how many times better the first peer is than each other."""
    ours, *names = figures
    print("| | " + " | ".join([ours, *names]) + " |")
    print("|---" * (1 + len(figures)) + "|")
    for key, values in figures[ours].items():
        mine = statistics.median(values)
        cells = [shown(mine)]
        for name in names:
            if key in figures[name]:
                theirs = statistics.median(figures[name][key])
                cells.append(shown(theirs) + ratio(key, mine, theirs))
            else:
                cells.append("\N{EN DASH}")
        print("| " + " | ".join([key, *cells]) + " |")


def ratio(key: str, mine: float, theirs: float) -> str:
    """Return how many times better we are, where that is a question."""
    low, high = (theirs, mine) if "/s" in key else (mine, theirs)
    return f" ({high / low:.1f}x)" if low and not key.startswith(("refused", "errors")) else ""


def shown(value: float) -> str:
    """Return a figure with three digits that count."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
