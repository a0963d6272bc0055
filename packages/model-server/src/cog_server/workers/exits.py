"""Say in words how a worker process ended."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

_MEMORY_EVENTS = Path("/sys/fs/cgroup/memory.events")


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a worker ended: its status as `subprocess` gives it, and whether the kernel killed for memory meanwhile."""

    status: int
    out_of_memory: bool = False
    by_us: str | None = None
    """Why the server itself killed it, when it did."""

    @property
    def signal(self) -> int | None:
        """The signal that ended it from outside: not by us, and not because the memory it may have ran out."""
        return -self.status if self.status < 0 and self.by_us is None and not self.out_of_memory else None

    def describe(self) -> str:
        """Return one sentence for the person whose model it is."""
        if self.by_us is not None:
            return f"The model's process was stopped: {self.by_us}."
        if self.status >= 0:
            return f"The model's process ended unexpectedly with exit status {self.status}."
        number = -self.status
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        text = f"The model's process was killed by {name} (signal {number})"
        if self.out_of_memory:
            return f"{text}: the machine or container ran out of memory."
        if number == signal.SIGKILL:
            return f"{text}, most often because memory ran out."
        return f"{text}."


def out_of_memory_kills(path: Path = _MEMORY_EVENTS) -> int:
    """Return how many processes of this container the kernel has killed for memory; 0 when that is unknown."""
    try:
        text = path.read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.strip().isdigit():
            return int(value)
    return 0
