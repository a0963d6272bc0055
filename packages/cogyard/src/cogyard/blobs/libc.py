"""Two things that the C library offers and Python's `os` does not; where it does not offer them, nothing happens."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

LARGEST_KEPT = 4 << 20
"""Buffers up to this size come from memory that is kept."""

KEPT = 32 << 20
"""Free memory beyond this goes back to the kernel."""

# Numbers of <malloc.h> and <fcntl.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_SYNC_FILE_RANGE_WRITE = 2


@functools.cache
def keep_large_buffers() -> None:
    """Let malloc keep the memory of large buffers, instead of giving it back to the kernel each time.

    Streams move in buffers of 64 KiB to 1 MiB. glibc takes such buffers from the kernel one by one and gives them
    back, so that each costs page faults: more than half of all CPU time of an upload (measured: 1.0 of 1.5 s for 1 GiB
    on the event loop's thread, 0.2 with this). What is kept is at most `KEPT` an arena, that is, per few threads.
    """
    mallopt = _function("mallopt", ctypes.c_int, ctypes.c_int)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, KEPT)


def start_writeback(fd: int) -> None:
    """Ask the kernel to begin writing what a file has in memory, without waiting for it.

    Not fdatasync: that would make the file system commit its journal each time, and a failed write is told only once,
    to whoever syncs first, so the fsync at the end might not hear of it.
    """
    sync_file_range = _function(
        "sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
    )
    if sync_file_range is not None:
        sync_file_range(fd, 0, 0, _SYNC_FILE_RANGE_WRITE)


@functools.cache
def _function(name: str, *arguments: type) -> Callable[..., int] | None:
    try:
        found = ctypes.CDLL(None)[name]
    except (AttributeError, OSError, TypeError):
        return None
    found.argtypes = list(arguments)
    return found
