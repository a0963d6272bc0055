"""The servers that are compared: ours, and coglet as the package index has it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COGLET = "cog==0.23.1"
COGLET_VENV = ROOT / ".cache" / "bench" / COGLET.replace("==", "-")


@dataclass
class Running:
    """A started server."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float

    def stop(self) -> None:
        """End the server and everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

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


def ours(project: Path, ref: str, slots: int | None = None) -> Running:
    """Start our server over HTTP with the real worker; an async model may have that many slots."""
    port = free_port()
    command = [sys.executable, "-m", "cog_server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--python", sys.executable, "--project", str(project), "--ref", ref]
    return start("cogyard", command, project, port, _concurrency(slots))


def _concurrency(slots: int | None) -> dict[str, str]:
    return {} if slots is None else {"COG_MAX_CONCURRENCY": str(slots)}


def coglet(project: Path, ref: str, slots: int | None = None) -> Running:
    """Start coglet as an image of Cog's does."""
    port = free_port()
    # Its worker is the first `python` of the PATH.
    path = f"{COGLET_VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = {
        "PATH": path,
        "PYTHONPATH": "",  # one of ours would hide coglet's `cog` behind our own
        "PORT": str(port),
        "COG_PREDICT_TYPE_STUB": ref,
        "COG_LOG_LEVEL": "warn",
        "RUST_LOG": "warn",
        **_concurrency(slots),
    }
    command = [str(COGLET_VENV / "bin" / "python"), "-m", "cog.server.http", "--host", "127.0.0.1"]
    return start("coglet 0.23.1", command, project, port, env)


def install_coglet() -> None:
    """Make coglet's own environment, once."""
    if (COGLET_VENV / "bin" / "cog-ready").exists():
        return
    import uv

    tool = uv.find_uv_bin()
    subprocess.run([tool, "venv", "-q", "--clear", "--python", sys.executable, str(COGLET_VENV)], check=True)
    python = str(COGLET_VENV / "bin" / "python")
    subprocess.run([tool, "pip", "install", "-q", "--python", python, COGLET], check=True)
    (COGLET_VENV / "bin" / "cog-ready").touch()


def start(name: str, command: list[str], project: Path, port: int, env: dict[str, str]) -> Running:
    """Start a server and wait until it says READY."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=project,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    running = Running(name, process, port, 0.0)
    while time.perf_counter() - begun < 30:
        if is_ready(port):
            running.start_seconds = time.perf_counter() - begun
            return running
        if process.poll() is not None:
            break
        time.sleep(0.002)
    running.stop()
    raise RuntimeError(f"{name} did not become ready")


def is_ready(port: int) -> bool:
    """Ask /health-check once."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"GET /health-check HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while data := sock.recv(65536):
                answer += data
    except OSError:
        return False
    return b'"READY"' in answer


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
