"""Read a page's blocks and run them as a reader would.

A block that begins with `# NAME` as its first line is written to the file NAME in the current folder. In a `console`
block each line that starts with `$ ` is typed, and the lines after it must come out; `…` stands for anything. A command
that ends in ` &` keeps running, and its lines are waited for. `cd` and `export` last.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECONDS = 180


@dataclass(frozen=True)
class Typed:
    """One command and the lines it should print."""

    command: str
    expected: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """One file."""

    name: str
    text: str


def steps(page: str) -> Iterator[Typed | Written]:
    """Yield what a reader does, in order."""
    for language, body in BLOCK.findall(page):
        first, _, rest = body.partition("\n")
        if language == "console":
            yield from _typed(body)
        elif re.fullmatch(r"# [\w.\-]+", first):
            yield Written(first.removeprefix("# "), rest)


def _typed(body: str) -> Iterator[Typed]:
    command, expected = "", list[str]()
    for line in body.splitlines():
        if line.startswith("$ "):
            if command:
                yield Typed(command, tuple(expected))
            command, expected = line.removeprefix("$ "), []
        elif command.endswith("\\"):
            command += f"\n{line}"
        elif line.strip():
            expected.append(line)
    if command:
        yield Typed(command, tuple(expected))


@dataclass
class Reader:
    """Does the steps of a page in a folder."""

    folder: Path
    env: dict[str, str]
    background: list[tuple[subprocess.Popen[bytes], Path]] = field(default_factory=list)

    def do(self, step: Typed | Written) -> None:
        """Do one step; raise AssertionError when what comes out is not what the page shows."""
        if isinstance(step, Written):
            (self.folder / step.name).write_text(step.text)
        elif step.command.endswith(" &"):
            self._start(step)
        else:
            self._type(step)

    def _type(self, step: Typed) -> None:
        script = f'set -e\n{step.command}\necho\necho "@@$PWD"\nenv -0 > .reader-env'
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.env, capture_output=True, text=True, check=False,
            timeout=SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"$ {step.command}\n{said}"
        said, _, place = done.stdout.rpartition("\n@@")
        self.folder = Path(place.strip())
        saved = self.folder / ".reader-env"
        self.env = dict(part.split("=", 1) for part in saved.read_text().split("\0") if "=" in part)
        saved.unlink()
        check_output(step, said + "\n" + done.stderr)

    def _start(self, step: Typed) -> None:
        log = self.folder / f".background-{len(self.background)}.log"
        with log.open("wb") as out:
            child = subprocess.Popen(
                ["bash", "-c", f"exec {step.command.removesuffix(' &')}"], cwd=self.folder, env=self.env,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.background.append((child, log))
        end = time.monotonic() + SECONDS
        while True:
            try:
                check_output(step, log.read_text())
            except AssertionError:
                if child.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def close(self) -> None:
        """End what still runs, as Ctrl-C would."""
        for child, _ in reversed(self.background):
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


def check_output(step: Typed, said: str) -> None:
    """Raise AssertionError unless each expected line came out."""
    lines = [line.rstrip() for line in said.splitlines()]
    for wanted in step.expected:
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.rstrip().split("…")))
        assert any(pattern.fullmatch(line) for line in lines), (
            f"$ {step.command}\nno line {wanted!r} in\n{said}"
        )
