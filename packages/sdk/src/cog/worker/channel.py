"""The worker's end of the socket: one blocking read for a frame, one write for an answer."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from time import perf_counter

from cog.worker.frames import Decoder, Frame

#: One read takes a request of any usual size whole. Not more: Python allocates this much for every read, and from
#: 128 KiB on malloc asks the system for it and gives it back, three system calls for each prediction.
READ_SIZE = 1 << 16
#: For the rest of a frame that is known to be large; a Unix socket holds about 208 KiB unless the server asks for more.
LARGE_READ_SIZE = 1 << 20
#: Seconds for which a worker that was asked this soon the last time looks for the next frame before it sleeps. An idle
#: processor takes as long to wake (50 to 100 microseconds in a virtual machine) as a client takes to ask again.
SOON = 0.0002
#: A turn that is given away and comes back only after so many seconds went to somebody who works: the machine is busy.
_BUSY = 0.0005
#: Seconds for which the worker then does not look; longer each time, until so many looks found something.
_FIRST_PAUSE, _LONGEST_PAUSE, _GOOD_LOOKS = 0.02, 10.0, 5000
_yield = getattr(os, "sched_yield", None)


class ServerGoneError(Exception):
    """The server closed the socket."""


class Channel:
    """A blocking socket that carries frames. Reading is for one thread, sending for any."""

    __slots__ = ("_decoder", "_good", "_lock", "_looks", "_looks_from", "_pause", "inbox", "socket")

    def __init__(self, sock: socket.socket) -> None:
        #: The socket itself, for an event loop to take over.
        self.socket = sock
        self._decoder = Decoder()
        self._lock = threading.Lock()
        self._looks, self._good, self._pause = False, 0, _FIRST_PAUSE
        self._looks_from = 0.0 if _yield is not None and (os.cpu_count() or 1) > 1 else float("inf")
        #: Frames that were read and not yet taken.
        self.inbox: deque[Frame] = deque()
        # A fork of the author's (multiprocessing) must neither speak to the server nor keep the socket open.
        os.register_at_fork(after_in_child=self.close)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self.socket.fileno()

    def receive(self) -> Frame | None:
        """Wait for the next frame; None when the server closed. Raises FrameError for what is no frame."""
        inbox = self.inbox
        while not inbox:
            try:
                data = self._look() if self._looks else None
                if data is None:
                    data = self._wait()
            except ConnectionError:
                return None
            if not data:
                return None
            inbox.extend(self._decoder.feed(data))
        return inbox.popleft()

    def _wait(self) -> bytes:
        """Sleep until something comes, and note whether that was soon."""
        large = self._decoder.missing > READ_SIZE
        began = perf_counter()
        data = self.socket.recv(LARGE_READ_SIZE if large else READ_SIZE)
        now = perf_counter()
        self._looks = now - began < SOON and now > self._looks_from
        return data

    def _look(self) -> bytes | None:
        """Look for what comes soon, without sleeping; None when nothing did, or others need the processor."""
        receive = self.socket.recv
        now = perf_counter()
        end = now + SOON
        while now < end:
            try:
                data = receive(READ_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                before = now
            else:
                self._good += 1
                return data
            _yield()  # type: ignore[misc]  # without it nobody looks
            now = perf_counter()
            if now - before > _BUSY:
                self._rest(now)
                break
        self._looks = False
        return None

    def _rest(self, now: float) -> None:
        if self._good >= _GOOD_LOOKS:
            self._pause = _FIRST_PAUSE
        self._good = 0
        self._looks_from = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def poll(self) -> None:
        """Put the frames that are there already into `inbox`, without waiting."""
        while True:
            try:
                data = self.socket.recv(READ_SIZE, socket.MSG_DONTWAIT)
            except (BlockingIOError, ConnectionError):
                return
            if not data:
                return
            self.inbox.extend(self._decoder.feed(data))

    def send(self, data: bytes) -> None:
        """Write one frame whole. Raises ServerGoneError when nobody reads any more."""
        try:
            with self._lock:
                self.socket.sendall(data)
        except (ConnectionError, OSError) as error:
            raise ServerGoneError(str(error)) from None

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
