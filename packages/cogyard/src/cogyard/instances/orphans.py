"""Find and end processes that an instance left behind, by a mark in their environment.

A model may start processes of its own, in groups of their own; when the server is killed nothing tells them. They
inherit the mark, so they are found by it, one by one, and by nothing broader. Linux only: elsewhere nothing is
found, and the two ties of `launcher` have to do.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

#: `<platform>/<instance>`; the platform part is a digest of its data folder.
MARK = "COGYARD_INSTANCE"

_PROC = Path("/proc")
#: A killed process needs a moment to be gone.
_ROUNDS, _BETWEEN_ROUNDS = 50, 0.01


def marked(mark: str) -> list[int]:
    """List the processes of an instance, or of all with a mark that ends in `/`; our own is never among them."""
    needle = f"{MARK}={mark}".encode()
    whole = mark.endswith("/")
    found: list[int] = []
    if not _PROC.is_dir():
        return found
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:  # Gone already, or not ours.
            continue
        entries = environment.split(b"\0")
        if any(entry.startswith(needle) for entry in entries) if whole else needle in entries:
            found.append(int(folder.name))
    return found


def kill_marked(mark: str) -> int:
    """Kill them, again until none is left, since they may start others; return how many were killed. Blocks."""
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = marked(mark)
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            killed.add(pid)
        time.sleep(_BETWEEN_ROUNDS)
    return len(killed)
