"""Let the C library keep the memory of large buffers, instead of giving it back to the kernel each time.

Streams move in buffers of 64 KiB to 1 MiB. glibc takes such buffers from the kernel one by one and gives them back, so
that every one costs page faults: more than half of all CPU time of an upload (measured: 1.0 of 1.5 s for 1 GiB on the
event loop's thread, 0.2 with this). What is kept is at most `KEPT` an arena, that is, per few threads.
"""

from __future__ import annotations

import ctypes
import functools

LARGEST_KEPT = 4 << 20
"""Buffers up to this size come from memory that is kept."""

KEPT = 32 << 20
"""Free memory beyond this goes back to the kernel."""

# Numbers of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


@functools.cache
def keep_large_buffers() -> None:
    """Set glibc's malloc so for this process; other C libraries are left as they are."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT)
    mallopt(_M_TRIM_THRESHOLD, KEPT)
