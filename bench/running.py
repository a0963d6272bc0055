"""A started server: what it uses, and how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 90


@dataclass
class Running:
    """A started server."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float

    def stop(self) -> None:
        """End the server and everything it started."""
        started = descendants(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def cpu_seconds(self) -> float:
        """Seconds of processor time that the server and its descendants have used."""
        total = 0
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def exact_cpu_seconds(self) -> float:
        """The same from the scheduler's own count of the threads that live, for short spans."""
        total = 0
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):
                    total += int(file.read_text().split()[0])
        return total / 1e9

    def peak(self) -> float:
        """Megabytes that the server itself, without the worker, has held at most."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return float("nan")

    def pss(self) -> float:
        """Megabytes of proportional set size, of the server and all its descendants."""
        total = 0
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total / 1024


def descendants(pid: int) -> list[int]:
    """Return all processes that a process started."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def start(
    name: str,
    command: Sequence[str],
    *,
    project: Path,
    port: int,
    ready: tuple[str, str],
    env: Mapping[str, str],
) -> Running:
    """Start a server in its project and wait until the path `ready[0]` answers 200 with the text `ready[1]`.

    Raises RuntimeError, with the end of what it printed, when it does not become ready.
    """
    log = project / "server.log"
    begun = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=project,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    running = Running(name, process, port, 0.0)
    while time.perf_counter() - begun < START_SECONDS:
        if is_ready(port, *ready):
            running.start_seconds = time.perf_counter() - begun
            return running
        if process.poll() is not None:
            break
        time.sleep(0.002)
    running.stop()
    raise RuntimeError(f"{name} did not become ready:\n{log.read_text(errors='replace')[-2000:]}")


def is_ready(port: int, path: str, text: str) -> bool:
    """Ask once."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := sock.recv(65536):
                answer += data
    except OSError:
        return False
    return answer.startswith(b"HTTP/1.1 200") and text.encode() in answer


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
