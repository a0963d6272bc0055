"""A timer for less than the millisecond that an event loop's timers round up to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable

_NON_BLOCKING = os.O_NONBLOCK | os.O_CLOEXEC
_MONOTONIC = 1
_SETTING = struct.Struct("@qqqq")
"""What timerfd_settime takes: the interval and the time until the first end, each as seconds and nanoseconds."""


class ShortTimer:
    """Call `callback` once a number of seconds after each `start`; to the microsecond on Linux, else to the loop's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None
        self._set: Callable[[int, int, bytes, None], int] | None = None
        self._fd = -1
        with contextlib.suppress(ImportError, OSError, AttributeError):
            self._open()

    def start(self, seconds: float) -> None:
        """Start anew; what was started before is forgotten."""
        if self._set is not None:
            nanoseconds = max(1, round(seconds * 1e9))
            setting = _SETTING.pack(0, 0, *divmod(nanoseconds, 1_000_000_000))
            if self._set(self._fd, 0, setting, None) == 0:
                return
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_later(seconds, self._callback)

    def close(self) -> None:
        """Never call again."""
        if self._handle is not None:
            self._handle.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd, self._set = -1, None

    def _open(self) -> None:
        import ctypes

        library = ctypes.CDLL(None)
        fd = library.timerfd_create(_MONOTONIC, _NON_BLOCKING)
        if fd >= 0:
            self._fd, self._set = fd, library.timerfd_settime
            self._loop.add_reader(fd, self._ended)

    def _ended(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # started anew meanwhile
        self._callback()
