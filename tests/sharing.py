"""One of a kind on a machine, for all workers of a run: who comes first makes it, and it ends when the last has left.

The maker listens on a name that only one process of a network namespace can have, and tells its run and what it made to
whoever connects. Who is of the same run stays connected for as long as it uses that. Whatever ends a process ends its
connection, and gives the name back.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


class TakenError(Exception):
    """Another run has had it for all the time that there was to wait."""


@contextmanager
def shared(
    name: str, run: str, make: Callable[[], AbstractContextManager[str]], *, patience: float
) -> Iterator[str]:
    """Give what `make` gives, made once for all processes of a run; raise TakenError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        with socket.socket(socket.AF_UNIX) as door:
            try:
                door.bind(f"\0{name}")
            except OSError:
                pass
            else:
                with make() as made, _offered(door, run, made):
                    yield made
                return
        with socket.socket(socket.AF_UNIX) as guest:
            found = _told(guest, name, run)
            if found is not None:
                yield found
                return
        if time.monotonic() > deadline:
            raise TakenError
        time.sleep(0.2)


@contextmanager
def _offered(door: socket.socket, run: str, made: str) -> Iterator[None]:
    """Tell all who connect; in the end, let nobody more in and wait until those of this run have left."""
    guests: list[socket.socket] = []
    told = json.dumps([run, made]).encode() + b"\n"

    def welcome() -> None:
        with contextlib.suppress(OSError):  # shut down
            while True:
                guest, _ = door.accept()
                with contextlib.suppress(OSError):  # gone already
                    guest.sendall(told)
                    guests.append(guest)

    door.listen(64)
    thread = threading.Thread(target=welcome, daemon=True)
    thread.start()
    try:
        yield
    finally:
        door.shutdown(socket.SHUT_RDWR)
        thread.join()
        for guest in guests:
            with guest, contextlib.suppress(OSError):
                while guest.recv(1):
                    pass


def _told(guest: socket.socket, name: str, run: str) -> str | None:
    """Return what the maker made, where it is of this run; `guest` stays connected then."""
    try:
        guest.connect(f"\0{name}")
        with guest.makefile("r") as lines:
            words = lines.readline()
    except OSError:
        return None  # not made yet, or gone
    found = json.loads(words) if words else None
    return found[1] if found and found[0] == run else None
