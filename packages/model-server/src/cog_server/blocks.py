"""Large blocks of memory: from the system in large pages where it has them, and back to it at once."""

from __future__ import annotations

import contextlib
import mmap


def block(size: int) -> mmap.mmap:
    """Return writable memory of zeros. It costs nothing until it is written to."""
    flags = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
    memory = mmap.mmap(-1, size, flags=flags)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # A page fault for each 4 KiB took longer than all the copying.
        with contextlib.suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
