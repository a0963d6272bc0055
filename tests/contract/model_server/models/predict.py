# ruff: noqa: T201, S605, S110, BLE001, PTH109 - models do what models do
"""Predictors that misbehave in every way the worker protocol speaks of. They need nothing but the standard library."""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


class Plain:
    """Does what `mode` says."""

    def setup(self) -> None:
        """Print, also from a subprocess, right before being ready."""
        print("setup on stdout")
        print("setup on stderr", file=sys.stderr)
        subprocess.run(["echo", "setup of a subprocess"], check=True)

    def predict(self, mode: str, value: str = "") -> str:
        """Do it."""
        if mode == "print":
            print(f"stdout {value}")
            print("stderr", file=sys.stderr)
            os.system("echo subprocess")
            os.write(1, "é\n".encode())
        elif mode == "raise":
            print("before")
            raise ValueError(value)
        elif mode == "exit":
            print("last words")
            sys.stdout.flush()
            os._exit(7)
        elif mode == "segfault":
            ctypes.string_at(0)
        elif mode == "sleep":
            time.sleep(float(value))
        elif mode == "stubborn":
            end = time.monotonic() + float(value)
            while time.monotonic() < end:
                try:
                    print("holding on", flush=True)
                    time.sleep(0.05)
                except BaseException:
                    pass
        elif mode == "spawn":
            child = subprocess.Popen(["sleep", "60"])
            return str(child.pid)
        elif mode == "cwd":
            return os.getcwd()
        return value

    def healthcheck(self) -> bool:
        """Be well unless a file says otherwise."""
        return not Path("unwell").exists()


class Streaming:
    """Yields."""

    def predict(self, count: int, pause: float = 0.0, fail_at: int = -1) -> Iterator[str]:
        """Yield numbers as text."""
        for number in range(count):
            if number == fail_at:
                raise RuntimeError("stream broke")
            if pause:
                time.sleep(pause)
            print(f"piece {number}")
            yield f"piece {number} "


class Files:
    """Makes a file."""

    def predict(self, name: str, text: str) -> Path:
        """Write text to a file."""
        path = Path(name)
        path.write_text(text)
        return path


class FileStream:
    """Makes files one after another."""

    def predict(self, count: int) -> Iterator[Path]:
        """Yield files that all have one name."""
        for number in range(count):
            folder = Path(f"out{number}")
            folder.mkdir(exist_ok=True)
            path = folder / "same.txt"
            path.write_text(f"file {number}")
            yield path


class BadSetup:
    """Never becomes ready."""

    def setup(self) -> None:
        """Print and raise."""
        print("trying")
        raise RuntimeError("no weights")

    def predict(self) -> str:
        """Never called."""
        return ""


class DyingSetup:
    """Dies before it is ready."""

    def setup(self) -> None:
        """Die."""
        print("about to die")
        sys.stdout.flush()
        os._exit(9)

    def predict(self) -> str:
        """Never called."""
        return ""


class SlowSetup:
    """Takes its time."""

    def setup(self) -> None:
        """Sleep."""
        print("loading weights")
        sys.stdout.flush()
        time.sleep(30)

    def predict(self) -> str:
        """Never called."""
        return ""


class DiesOnce:
    """Its second worker cannot start."""

    def setup(self) -> None:
        """Fail when it was started before."""
        marker = Path("started")
        if marker.exists():
            raise RuntimeError("only once")
        marker.touch()

    def predict(self) -> str:
        """Die."""
        os._exit(1)


class FileIn:
    """Reads a file."""

    def predict(self, file: Path) -> str:
        """Tell name and content."""
        return f"{Path(file).name}: {Path(file).read_text()}"
