# ruff: noqa: S110, SIM105, BLE001, PLR0917, B008 - models do what models do
"""A model that dies, drags on, litters and fills memory, at whichever moment it is told to."""

import ctypes
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import cog


def die(how: str) -> None:
    """End this process without another word."""
    if how == "exit":
        os._exit(3)
    if how == "segv":
        ctypes.string_at(0)
    os.kill(os.getpid(), signal.SIGABRT if how == "abort" else signal.SIGKILL)
    time.sleep(60)


def die_soon(how: str, seconds: float) -> None:
    """End this process from another thread while this one goes on."""

    def later() -> None:
        time.sleep(seconds)
        die(how)

    threading.Thread(target=later, daemon=True).start()


def die_by_mark(name: str) -> None:
    """Die when a file of this name says how, once."""
    mark = Path(name)
    if mark.exists():
        how = mark.read_text()
        mark.unlink()
        die(how)


die_by_mark("die-while-importing")


class Frail:
    """One at a time."""

    def setup(self) -> None:
        """Die here when a file says so; else tell that setup is under way, and wait where told to."""
        die_by_mark("die-in-setup")
        Path("in-setup").write_text(str(os.getpid()))
        while Path("hold-setup").exists():
            time.sleep(0.01)

    def predict(
        self,
        mode: str = "echo",
        text: str = "",
        count: int = 1,
        seconds: float = 0.0,
        how: str = "kill",
        file: cog.Path | None = None,
    ) -> Iterator[str]:
        """Do what `mode` says."""
        if mode == "raise":
            raise ValueError(text)
        if mode == "die":
            die(how)
        if mode == "memory":
            take_memory()
        if mode == "stubborn":
            drag_on(seconds)
        if mode == "huge":
            text = "x" * (600 << 20)
        if mode == "big":
            die_soon(how, seconds)
            text = "x" * count
            count = 1
        if file is not None:
            text += file.read_text()
        for number in range(count):
            if mode == "die-in-stream" and number == count // 2:
                die(how)
            if mode == "sleep":
                time.sleep(seconds)
            if mode == "print":
                print(f"line {number}")  # noqa: T201
            yield text


class Files:
    """Makes files, and may die once they are made."""

    def predict(self, count: int = 1, how: str = "", hold: float = 0.0) -> Iterator[cog.Path]:
        """Yield files; then wait, then die."""
        for number in range(count):
            path = Path(tempfile.mkdtemp(), f"{number}.bin")
            path.write_bytes(b"x" * 100_000)
            yield cog.Path(path)
        if hold:
            time.sleep(hold)
        if how:
            die(how)


class Writes:
    """Writes as much as it is told."""

    def predict(self, size: int = 10) -> cog.Path:
        """Write a file of `size` bytes."""
        path = Path(tempfile.mkdtemp(), "out.bin")
        with path.open("wb") as out:
            for _ in range(0, size, 65536):
                out.write(b"x" * min(size, 65536))
        return cog.Path(path)


class FrailAsync:
    """Several at a time."""

    @cog.concurrent(max=8)
    async def predict(
        self, mode: str = "echo", text: str = "", count: int = 1, seconds: float = 0.0, how: str = "kill",
        file: cog.Path | None = None,
    ) -> AsyncIterator[str]:  # fmt: skip
        """Do what `mode` says."""
        import asyncio

        if mode == "raise":
            raise ValueError(text)
        if mode == "die":
            die(how)
        if file is not None:
            text += file.read_text()
        for number in range(count):
            if mode == "die-in-stream" and number == count // 2:
                die(how)
            await asyncio.sleep(seconds if mode == "sleep" else 0)
            if mode == "print":
                print(f"line {number}")  # noqa: T201
            yield text


class FrailBatch:
    """Several in one call."""

    @cog.batched(max_size=4, max_wait=0.003)
    def predict(
        self,
        text: list[str],
        mode: list[str] = cog.Input(default="echo"),
        how: list[str] = cog.Input(default="kill"),
        count: list[int] = cog.Input(default=1),
        seconds: list[float] = cog.Input(default=0.0),
        file: list[cog.Path | None] = cog.Input(default=None),
    ) -> list[list[str]]:
        """Do what the modes say; one that dies takes the others of its batch along."""
        for one, way in zip(mode, how, strict=True):
            if one.startswith("die"):
                die(way)
        time.sleep(max(seconds))
        found: list[list[str]] = []
        for one, said, more in zip(mode, text, file, strict=True):
            found.append(ValueError(said) if one == "raise" else [said + (more.read_text() if more else "")])  # type: ignore[arg-type]
        return found


def take_memory() -> None:
    """Ask for more memory than this process may have."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    try:
        kept = [bytearray(64 << 20) for _ in range(64)]
        sys.stdout.write(str(len(kept)))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def drag_on(seconds: float) -> None:
    """Ignore every cancel for a while."""
    end = time.monotonic() + seconds
    Path("dragging").write_text("")
    while time.monotonic() < end:
        try:
            time.sleep(0.02)
        except BaseException:
            pass
