"""What this machine has to give to instances."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from cogyard.domain.capacity import Resources
from cogyard.instances.gpu_names import pools, read_models
from cogyard.instances.gpus import Gpus

_MEMORY_PER_INSTANCE = 2 << 30
_OWN_MEMORY = 512 << 20


def default_max_instances() -> int:
    """Return how many instances this machine holds by default: two a core, 2 GiB of memory each, at least two."""
    return max(2, min(2 * (os.cpu_count() or 1), _machine_memory() // _MEMORY_PER_INSTANCE))


def instance_memory(instances: int) -> int:
    """Return the bytes of memory that each of so many instances may have, with some left for the platform."""
    return machine().memory // instances


def gpu_pools(gpus: Gpus, kinds: Iterable[str]) -> tuple[str, ...]:
    """Return of which of the operator's kinds each GPU of this machine is; see `gpu_names.pools`."""
    # The nodes may not be made yet, where nothing has used a GPU since the machine was started.
    return pools(gpus.all or [gpu for _, gpu in sorted(read_models().items())], kinds)


def machine(gpus: Sequence[str] = ()) -> Resources:
    """Return what this machine has to give out: all but a part of the memory, which is the platform's.

    `gpus` says of which kind each of its GPUs is.
    """
    whole = _machine_memory()
    return Resources(
        cpus=float(os.cpu_count() or 1),
        memory=whole - min(_OWN_MEMORY, whole // 4),
        gpus=gpus.count(""),
        kinds=tuple(sorted(Counter(kind for kind in gpus if kind).items())),
    )


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 4 * _MEMORY_PER_INSTANCE
