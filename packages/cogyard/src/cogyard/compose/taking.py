"""Whether the other side of a connection takes what is sent to it, as its kernel acknowledges it.

What a process hands over goes in great lumps into buffers of the system, so a slow reader would look like one that
has stopped. Acknowledged bytes tell them apart, also where files are sent past this process.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import socket
import struct
import sys
import termios
from typing import Protocol

#: Bytes that must be taken between two looks, where that many wait: less than a hundred a second is no reader.
LEAST = 4096

# `tcpi_bytes_acked` of Linux's `struct tcp_info`: behind 8 single bytes, 24 words and two rates.
_ACKNOWLEDGED = struct.Struct("=120xQ")


class Connected(Protocol):
    """A socket, or what an event loop shows of one."""

    def fileno(self) -> int:
        """Return its descriptor."""
        ...

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
        """Return an option."""
        ...


class Taking:
    """Looks, now and then, at one connection."""

    def __init__(self) -> None:
        self._waited = 0
        self._taken = 0

    def look(self, peer: Connected, buffered: int) -> bool:
        """Return whether something waited at the last look, and next to nothing was taken since.

        `buffered` is what this process itself still holds. Where the system does not tell, nobody is slow.
        """
        found = _told(peer)
        if found is None:
            return False
        unacknowledged, taken = found
        stuck = taken - self._taken < min(self._waited, LEAST)
        self._waited, self._taken = unacknowledged + buffered, taken
        return stuck


def hang_up(peer: Connected) -> None:
    """Break the connection for everyone who holds it, such as a file's transfer; what was not taken is dropped."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(peer.fileno())) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        copy.shutdown(socket.SHUT_RDWR)


def _told(peer: Connected) -> tuple[int, int] | None:
    """Return how many bytes the system has sent or is about to, without an answer, and how many were acknowledged."""
    if sys.platform != "linux":
        return None
    waiting = array.array("i", [0])
    try:
        fcntl.ioctl(peer.fileno(), termios.TIOCOUTQ, waiting)
        (acknowledged,) = _ACKNOWLEDGED.unpack(
            peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
        )
    except (OSError, struct.error):
        return None  # no TCP, or a kernel from before 4.1
    return waiting[0], acknowledged
