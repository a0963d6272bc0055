"""Start a worker process. Standard library only: this runs before the server imports anything slow."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SOCKET_BUFFER = 1 << 20
"""Bytes asked for each direction of the socket pair, so that a burst of frames does not stop the model."""
_PIPE_BUFFER = 1 << 20
"""Bytes asked for each log pipe (the default limit for users who are not root)."""
_F_SETPIPE_SZ = 1031
_RUN = (
    "import sys, os; here = os.getcwd(); sys.path[:] = [at for at in sys.path if at not in ('', here)]; "
    "import runpy; runpy.run_module('cog.worker', run_name='__main__', alter_sys=True)"
)
"""What `-m cog.worker` does, but never in the project's own cog.py: `-m` would look there first."""
_OURS = ("WEBHOOK_AUTH_TOKEN", "COG_WEBHOOK_SECRET", "COG_API_TOKEN")
"""Secrets of the server that are none of the model's."""


@dataclass(frozen=True, kw_only=True)
class WorkerCommand:
    """What to start: the model's Python, the project, what to load, and in which environment."""

    python: Path
    project: Path
    ref: str | None
    train_ref: str | None = None
    mode: str = "predict"
    env: Mapping[str, str] = field(default_factory=dict)
    script: Path | None = None
    """A stand-in for `cog.worker`, for tests."""

    def arguments(self, fd: int) -> list[str]:
        """Return the command line for a worker whose socket is `fd`."""
        program: Sequence[str] = ("-c", _RUN) if self.script is None else (str(self.script),)
        # The worker starts in the project; a path that was given from elsewhere still means the same file.
        python = str(self.python.absolute() if os.sep in str(self.python) else self.python)
        line = [python, *program, "--fd", str(fd), "--mode", self.mode]
        if self.ref is not None:
            line += ["--ref", self.ref]
        if self.train_ref is not None:
            line += ["--train-ref", self.train_ref]
        return line


@dataclass(frozen=True, kw_only=True)
class WorkerProcess:
    """A started worker: our end of its socket, and the reading ends of its stdout and stderr."""

    popen: subprocess.Popen[bytes]
    socket: socket.socket
    stdout: int
    stderr: int
    started_at: float
    """Seconds of the epoch."""

    def kill(self) -> None:
        """Kill the worker's whole process group at once; nothing happens when it is gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)

    def interrupt(self) -> None:
        """Make a sync worker look at its CANCEL frames (spec: SIGUSR1)."""
        if self.popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.popen.pid, signal.SIGUSR1)


def spawn(command: WorkerCommand) -> WorkerProcess:
    """Start a worker and return at once. Raises OSError when the program cannot be started."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pipes: list[int] = []
    started_at = time.time()
    try:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        for _ in range(2):
            pipes += os.pipe()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **command.env}
        for name in _OURS:
            environment.pop(name, None)
        popen = subprocess.Popen(
            command.arguments(theirs.fileno()),
            cwd=command.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=pipes[1],
            stderr=pipes[3],
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        for fd in pipes:
            os.close(fd)
        raise
    finally:
        theirs.close()
    for fd in (pipes[1], pipes[3]):
        os.close(fd)
    for fd in (pipes[0], pipes[2]):
        _widen(fd)
        os.set_blocking(fd, False)
    ours.setblocking(False)
    return WorkerProcess(popen=popen, socket=ours, stdout=pipes[0], stderr=pipes[2], started_at=started_at)


def _widen(fd: int) -> None:
    """Let a log pipe hold more, where the system can: a chatty model then waits less for us."""
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, _F_SETPIPE_SZ, _PIPE_BUFFER)
