"""Ending with the server: a thread that waits, without any work, for the other end of the socket to close."""

from __future__ import annotations

import os
import select
import signal
import threading
import time

#: An idle worker ends by itself in this time; one in the middle of a prediction is ended. The contract allows 1 s.
GRACE = 0.5


def watch(fd: int) -> None:
    """Start the watch over the socket `fd`."""
    threading.Thread(target=_wait, args=(fd,), name="cog-watch", daemon=True).start()


def _wait(fd: int) -> None:
    # The cancel signal belongs to the main thread: only there it interrupts a system call.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    poll = select.poll()
    # No POLLIN: requests are none of this thread's business. POLLHUP and POLLERR always come.
    poll.register(fd, getattr(select, "POLLRDHUP", 0))
    poll.poll()
    time.sleep(GRACE)
    end_now()


def end_now() -> None:
    """End this process and, when it leads its group, whatever the author's code has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
