"""The processes that compile: one for each core, started when there is work for it, each with one job at a time."""

from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from cogyard.image.wheels import compiler

#: A job that takes longer than this is given up.
SECONDS = 300.0
#: No site, no user's settings, no folder of ours on its path; the seed decides how sets are written.
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


class StoppedError(Exception):
    """The build has ended; nothing is compiled any more."""


class Compilers:
    """Run `cogyard.image.wheels.compiler` with one Python. Safe for many threads; call `stop` in the end."""

    def __init__(self, python: Path, *, seconds: float = SECONDS) -> None:
        """`python` is an executable of the image's minor version; a job may take so many `seconds`."""
        self._command = [str(python), "-S", "-s", "-c", Path(compiler.__file__).read_text("utf-8")]
        self._seconds = seconds
        self._lock = threading.Lock()
        self._stopped = False
        self._processes: set[_Process] = set()
        self._idle: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        for _ in range(os.cpu_count() or 1):
            self._idle.put(None)  # a place for one that is not started yet

    def run(self, job: str) -> bool:
        """Do a job, a line of JSON, when a process is free; return whether it went well. Raises StoppedError."""
        process, done = self._idle.get(), None
        try:
            process = process or self._start()
            done = process.run(job, self._seconds)
            if self._stopped:
                raise StoppedError
        finally:
            if process is not None and (done is None or self._stopped):  # it is stuck, or gone, or not needed
                with self._lock:
                    self._processes.discard(process)
                process.close()
                process = None
            self._idle.put(process)
        return bool(done)

    def stop(self) -> None:
        """End the processes at once; whoever waits for a job hears of it."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()
        waiting: list[_Process | None] = []
        with suppress(queue.Empty):
            while True:
                waiting.append(self._idle.get_nowait())
        for each in waiting:
            if each is not None:
                each.close()
            self._idle.put(None)

    def _start(self) -> _Process:
        with self._lock:
            if self._stopped:
                raise StoppedError
            process = _Process(self._command)
            self._processes.add(process)
        return process


class _Process:
    """One process that compiles."""

    def __init__(self, command: list[str]) -> None:
        # A group of its own: what it forks is ended with it.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT, cwd="/", process_group=0,
        )  # fmt: skip

    def run(self, job: str, seconds: float) -> bool | None:
        """Do a job; return whether it went well, None when the process did not say."""
        assert self._process.stdin is not None  # noqa: S101 - PIPE was asked for
        assert self._process.stdout is not None  # noqa: S101 - as above
        try:
            self._process.stdin.write(job.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return None
        answer, deadline = b"", time.monotonic() + seconds
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            data = os.read(self._process.stdout.fileno(), 64)
            if not data:
                return None
            answer += data
        return answer == b"0\n"

    def kill(self) -> None:
        """End it at once, with what it has forked; whoever waits for its answer sees that it is gone."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it and wait for that. To be called by who has it, and nobody else."""
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None  # noqa: S101 - PIPE was asked for
            with suppress(OSError):  # it has ended before it read everything
                stream.close()
