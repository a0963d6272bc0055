"""The worker's end of the socket: one blocking read for a frame, one write for an answer."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque

from cog.worker.frames import Decoder, Frame

#: One read takes a request of any usual size whole. Not more: Python allocates this much for every read, and from
#: 128 KiB on malloc asks the system for it and gives it back, three system calls for each prediction.
READ_SIZE = 1 << 16
#: For the rest of a frame that is known to be large; a Unix socket holds about 208 KiB unless the server asks for more.
LARGE_READ_SIZE = 1 << 20


class ServerGoneError(Exception):
    """The server closed the socket."""


class Channel:
    """A blocking socket that carries frames. Reading is for one thread, sending for any."""

    __slots__ = ("_decoder", "_lock", "inbox", "socket")

    def __init__(self, sock: socket.socket) -> None:
        #: The socket itself, for an event loop to take over.
        self.socket = sock
        self._decoder = Decoder()
        self._lock = threading.Lock()
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
                large = self._decoder.missing > READ_SIZE
                data = self.socket.recv(LARGE_READ_SIZE if large else READ_SIZE)
            except ConnectionError:
                return None
            if not data:
                return None
            inbox.extend(self._decoder.feed(data))
        return inbox.popleft()

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
