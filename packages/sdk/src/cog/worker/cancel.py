"""Cancel of sync predictions: SIGUSR1 raises CancelationException in the author's code, and nowhere else.

Theory of operation. The server writes CANCEL and then sends the signal. Python runs the handler on the main
thread between two of its instructions; a system call the main thread waits in ends first. The handler may raise
only while the author's code runs (`armed`): anywhere else it would tear a frame in two or lose an answer, so there
it only notes that it came (`signalled`), and whoever arms next looks. CANCEL is in the socket before the signal is
sent, so a look always finds it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cog.errors import CancelationException
from cog.worker import frames
from cog.worker.channel import Channel


class Canceler:
    """Decides whether the running prediction is to be ended. For the main thread only."""

    __slots__ = ("_channel", "_tag", "armed", "canceled", "signalled")

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._tag = 0
        #: The author's code runs, and may be interrupted.
        self.armed = False
        #: The signal came while nothing could be interrupted.
        self.signalled = False
        #: The running prediction has been canceled; it is interrupted once only.
        self.canceled = False

    def install(self) -> None:
        """Take SIGUSR1."""
        signal.signal(signal.SIGUSR1, self.handle)

    def begin(self, tag: int) -> None:
        """Start watching over a prediction."""
        self._tag = tag
        self.canceled = False

    def arm(self) -> None:
        """Allow interruption from here on. Raises CancelationException when the cancel is there already."""
        if self._channel.inbox:
            self.signalled = True
        while True:
            if self.signalled:
                self.signalled = False
                self._look()
            self.armed = not self.canceled
            if not self.signalled:
                return
            self.armed = False  # the signal came between the look and the arming

    def handle(self, _signal: int, _frame: FrameType | None) -> None:
        """Act on SIGUSR1."""
        self.signalled = True
        if self.armed:
            self.armed = False
            self.arm()

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Keep the interruption out while a frame is written from within the author's code."""
        armed, self.armed = self.armed, False
        yield
        if armed:
            self.arm()

    def _look(self) -> None:
        """Read what is there; raise when it cancels this prediction. Other frames wait for their turn."""
        channel = self._channel
        channel.poll()
        found = False
        for frame in tuple(channel.inbox):
            kind, tag, _ = frame
            if kind == frames.CANCEL:
                channel.inbox.remove(frame)
                found = found or tag == self._tag
        if found and not self.canceled:
            self.canceled = True
            raise CancelationException
