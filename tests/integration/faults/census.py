"""What a server holds: processes, descriptors, threads, files, memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Census:
    """What one server and its descendants hold at one moment."""

    processes: int
    zombies: int
    descriptors: int
    sockets: int
    """Of the descriptors: connections to clients, workers, and kept ones to where webhooks go."""
    threads: int
    files: int
    memory: int
    """Bytes of the server's own private memory, without its workers'."""


def children(pid: int) -> list[int]:
    """Return the living and dead children of a process, whichever of its threads began them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # a thread that has just ended
    return found


def worker_of(pid: int) -> int | None:
    """Return the number of a server's worker process that lives, if any does."""
    for child in children(pid):
        if state(child) not in ("Z", ""):
            return child
    return None


def state(pid: int) -> str:
    """Return the state letter of a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def target(fd: Path) -> str:
    """Return what a descriptor stands for; nothing when it has just been closed."""
    try:
        return str(fd.readlink())
    except OSError:
        return ""


def take(pid: int, temporary: Path) -> Census:
    """Count what a server holds now; `temporary` is the TMPDIR it was given."""
    below = children(pid)
    opened = [target(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Census(
        processes=sum(state(child) not in ("Z", "") for child in below),
        zombies=sum(state(child) == "Z" for child in below),
        descriptors=len(opened),
        sockets=sum(name.startswith("socket:") for name in opened),
        threads=int(status["Threads"]),
        files=sum(len(names) for _, _, names in os.walk(temporary)),
        memory=int(status["RssAnon"].split()[0]) * 1024,
    )
