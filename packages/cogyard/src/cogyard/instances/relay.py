"""The first process inside a sandbox or container: starts the model server, and passes bytes in and out for it.

Theory of operation: a model has no network. What speaks to its server comes over a Unix socket that this process
listens on, and is passed on to wherever the server listens inside; what the server asks of the platform (its inputs'
files, a place for its outputs) goes to a port of the loopback in here, and is passed on to the platform's socket.
Bytes only: nothing is read, nothing decided.

It runs on the *image's* Python, whatever that is, from this very file: standard library, Python 3.8, no asyncio (its
import would cost every start 80 ms). One thread for each direction of each connection; a model has few.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable  # in annotations only, which nothing evaluates

_CHUNK = 1 << 16
#: A server that starts gets this long to listen before its caller is told that nobody answers, in seconds.
_PATIENCE = 1.0
_AGAIN = 0.005


def connect(place: str) -> socket.socket:
    """Connect to a Unix socket's path, or to a port of the loopback given as its number."""
    if place.isdigit():
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        where: object = ("127.0.0.1", int(place))
    else:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        where = place
    try:
        made.connect(where)  # type: ignore[arg-type] # the one or the other
    except OSError:
        made.close()
        raise
    return made


def listen(place: str) -> socket.socket:
    """Listen where `connect` would go; `fd:N` is a socket that listens already."""
    if place.startswith("fd:"):
        return socket.socket(fileno=int(place[3:]))
    if place.isdigit():
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", int(place)))
    else:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.bind(place)
        os.chmod(place, 0o666)  # noqa: S103, PTH101 - the folder says who may come this far
    made.listen(128)
    return made


def patient(place: str, patience: float) -> Callable[[], socket.socket]:
    """Return a `connect` that waits a moment for somebody to listen."""

    def connecting() -> socket.socket:
        until = time.monotonic() + patience
        while True:
            try:
                return connect(place)
            except OSError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_AGAIN)

    return connecting


def relay(listening: socket.socket, connecting: Callable[[], socket.socket]) -> None:
    """Pass on every connection that comes, for ever."""
    while True:
        try:
            came, _ = listening.accept()
        except OSError:
            time.sleep(
                _AGAIN
            )  # Out of descriptors or memory: the model may have taken them all, for a while.
            continue
        _thread(_join, came, connecting)


def _join(came: socket.socket, connecting: Callable[[], socket.socket]) -> None:
    try:
        went = connecting()
    except OSError:
        came.close()
        return
    back = _thread(_pump, went, came)
    _pump(came, went)
    if back is not None:
        back.join()
    came.close()
    went.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while True:
            data = source.recv(_CHUNK)
            if not data:
                break
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _thread(work: Callable[..., None], *args: object) -> threading.Thread | None:
    thread = threading.Thread(target=work, args=args, daemon=True)
    try:
        thread.start()
    except (
        RuntimeError
    ):  # No room for a thread, as after a fork bomb: this connection is lost, not the relay.
        for each in args:
            if isinstance(each, socket.socket):
                each.close()
        return None
    return thread


def limit(name: str, value: int) -> None:
    """Set a limit of this process and all below it, where the system has it."""
    which = getattr(resource, "RLIMIT_" + name.upper(), None)
    if which is None:
        return
    hard = resource.getrlimit(which)[1]
    top = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (top, top))


def _tie() -> None:
    """End at once, and with us a container, when stdin closes: whoever started us is gone."""
    while os.read(0, 1024):
        pass
    os._exit(1)


def wait(child: int) -> int:
    """Return a child's exit status, or minus its signal; others that end meanwhile are buried."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _arguments(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    cut = words.index("--")
    parser = argparse.ArgumentParser()
    parser.add_argument("--relay", action="append", default=[], metavar="FROM=TO")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--tied", action="store_true")
    return parser.parse_args(words[:cut]), words[cut + 1 :]


def main(words: list[str]) -> int:
    """Run `[--relay FROM=TO]… [--limit NAME=NUMBER]… [--tied] -- COMMAND…` until the command ends."""
    options, command = _arguments(words)
    for pair in options.limit:
        name, _, number = pair.partition("=")
        limit(name, int(number))
    threading.stack_size(256 << 10)
    listening = []
    for pair in options.relay:
        source, _, target = pair.partition("=")
        # What must listen before the server starts does; what the server itself offers is waited for.
        listening.append((listen(source), patient(target, _PATIENCE)))
    # The image's own command. Its stdin is empty: ours may be the tie to whoever started us.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    if options.tied:
        _thread(_tie)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: os.kill(child.pid, got))
    for sock, connecting in listening:
        _thread(relay, sock, connecting)
    status = wait(child.pid)
    if status < 0:
        # End as it did, as far as the first process of a namespace can: a shell's way of saying it.
        return 128 - status
    return status


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main(sys.argv[1:]))
