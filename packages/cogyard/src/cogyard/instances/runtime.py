"""The port behind which a version becomes a running model server.

Three small steps, so that each can be slow, cached or repeated alone: `prepare` makes ready what is shared by all
instances of a version (layers, environment), `start` starts one model server, `stop` ends it. Adapters: process,
sandbox and docker; all pass the suite in `cogyard.testing.instances`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cogyard.domain.capacity import UNCOUNTED, Grant
from cogyard.instances.reach import Reach

#: Receives one line of progress, such as "installing 12 packages".
Progress = Callable[[str], None]


def silent(_line: str) -> None:
    """Ignore progress."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a model server ended: an exit status, or minus the signal that killed it."""

    code: int
    #: Why we ended it, where we did.
    reason: str = ""

    @property
    def was_killed(self) -> bool:
        """Whether somebody else killed it: the kernel, or a person."""
        return self.code == -9 and not self.reason

    def __str__(self) -> str:
        if self.reason:
            return self.reason
        if self.code == -9:
            return "was killed (signal 9; the machine may be out of memory)"
        if self.code < 0:
            return f"was killed by signal {-self.code}"
        return f"ended with exit status {self.code}"


class Running(Protocol):
    """One live model server."""

    @property
    def address(self) -> str:
        """`unix:` and the path of its socket, or its `http://` address."""
        ...

    async def wait(self) -> Exit:
        """Return once it has ended, by itself or not."""
        ...

    async def stop(self, *, grace: float = 5.0) -> None:
        """Ask it to end, kill it and everything it started after `grace` seconds, and tidy up."""
        ...

    def logs(self) -> str:
        """Return the end of what it printed."""
        ...


class Prepared(Protocol):
    """A version made ready on this machine; instances of it start quickly."""

    @property
    def slots(self) -> int:
        """How many predictions one instance runs at once."""
        ...

    @property
    def reach(self) -> Reach:
        """How its model servers reach the platform."""
        ...

    async def start(self, instance: str, grant: Grant = UNCOUNTED) -> Running:
        """Start one model server within what it was given; it is not ready yet. Raises PrepareFailedError."""
        ...


class Runtime(Protocol):
    """A way to run versions on this machine."""

    @property
    def name(self) -> str:
        """`process`, `sandbox` or `docker`."""
        ...

    @property
    def isolated(self) -> bool:
        """Whether a model is kept from the operator's files, processes and network."""
        ...

    async def prepare(self, version: str, *, progress: Progress = silent) -> Prepared:
        """Make a version ready. Raises ImageRefusedError or PrepareFailedError."""
        ...
