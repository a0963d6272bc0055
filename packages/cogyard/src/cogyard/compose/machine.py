"""What this machine has to give to instances."""

from __future__ import annotations

import os
from pathlib import Path

from cogyard.domain.capacity import Resources
from cogyard.instances.gpus import Gpus

_MEMORY_PER_INSTANCE = 2 << 30
_OWN_MEMORY = 512 << 20


def default_max_instances() -> int:
    """Return how many instances this machine holds by default: two a core, 2 GiB of memory each, at least two."""
    return max(2, min(2 * (os.cpu_count() or 1), _machine_memory() // _MEMORY_PER_INSTANCE))


def instance_memory(instances: int) -> int:
    """Return the bytes of memory that each of so many instances may have, with some left for the platform."""
    return machine().memory // instances


def machine(gpus: Gpus | None = None) -> Resources:
    """Return what this machine has to give out: all but a part of the memory, which is the platform's."""
    whole = _machine_memory()
    # The nodes may not be made yet, where nothing has used a GPU since the machine was started.
    known = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    count = len(gpus.numbers) if gpus is not None else 0
    return Resources(
        cpus=float(os.cpu_count() or 1), memory=whole - min(_OWN_MEMORY, whole // 4), gpus=count or known
    )


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 4 * _MEMORY_PER_INSTANCE
