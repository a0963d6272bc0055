"""What one instance may use of the machine, as values; runtimes turn them into what their system understands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cogyard.domain.capacity import Grant

_GIB = 1 << 30
#: Predictions that one instance may be given at once, whatever it says of itself.
MOST_SLOTS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceLimits:
    """The most that an instance, with everything it starts, may use."""

    #: Bytes of memory.
    memory: int = 4 * _GIB
    #: Processors' worth of time; None for no limit.
    cpus: float | None = None
    #: Processes and threads.
    processes: int = 2048
    #: Bytes it may write anywhere: in a sandbox they are in memory, too. 0 is half of the memory.
    scratch: int = 0
    #: Open files of one process.
    files: int = 65_536

    def within(self, grant: Grant) -> InstanceLimits:
        """Return these limits, narrowed or widened to what an instance was given, with nothing left open."""
        given = grant.resources
        memory = given.memory or self.memory
        scratch = given.disk or min(self.scratch or memory // 2, memory)
        return replace(self, memory=memory, cpus=given.cpus or self.cpus, scratch=scratch)

    def for_process(self, *, grouped: bool) -> dict[str, int]:
        """Return what is set for each process (see setrlimit(2)). `grouped`: control groups hold memory together."""
        limits = {"nproc": self.processes, "nofile": self.files, "core": 0, "memlock": 64 << 20}
        return limits if grouped else {**limits, "data": self.memory}
