"""What commands say: messages to stderr, results to stdout; colour and motion only on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status

RED, GREEN, YELLOW, DIM, BOLD = "31", "32", "33", "2", "1"
DONE, FAILED = "✓", "✗"


def plain(text: str) -> str:
    """Return a text that may come from a stranger so that it moves no cursor, paints nothing and forges no line."""
    return text if text.isprintable() else json.dumps(text)


class Console:
    """Messages of one command. `quiet` keeps warnings and errors only."""

    def __init__(self, stream: IO[str] | None = None, *, quiet: bool = False) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.quiet = quiet
        self.terminal = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self._status: Status | None = None
        self._held = ""
        self._open = False

    @property
    def colour(self) -> bool:
        """Whether the stream is a terminal and nobody asked for no colour (NO_COLOR, --no-color)."""
        return self.terminal and not os.environ.get("NO_COLOR") and not os.environ.get("COG_NO_COLOR")

    def say(self, text: str = "") -> None:
        """Say one thing that was done or is to be known."""
        if not self.quiet:
            self._line(text)

    def done(self, text: str) -> None:
        """Say that a step is finished."""
        if not self.quiet:
            self._line(f"{self.paint(DONE, GREEN)} {text}")

    def warn(self, text: str, hint: str | None = None) -> None:
        """Say something that may surprise; the command goes on."""
        self._line(f"{self.paint('Warning:', YELLOW)} {text}")
        if hint:
            self._line(f"  {hint}")

    def error(self, text: str, hint: str | None = None) -> None:
        """Say why the command ends, and what to do next."""
        self._line(f"{self.paint('Error:', RED)} {text}")
        if hint:
            self._line(f"  {hint}")

    def log(self, text: str) -> None:
        """Pass on output of the model, unchanged; beside a moving line, whole lines only."""
        if self._status is None:
            self._write(text)
            return
        lines, newline, self._held = (self._held + text).rpartition("\n")
        if newline:
            self._status.stop()
            self._write(f"{lines}\n")
            self._status.start()

    @contextmanager
    def working(self, text: str) -> Iterator[Step]:
        """Show a step going on: a moving line on a terminal, only its details elsewhere."""
        if self.quiet or not self.terminal:
            yield Step(self, text)
            return
        from rich.console import Console as RichConsole
        from rich.markup import escape

        rich = RichConsole(file=self.stream, no_color=not self.colour, highlight=False)
        with rich.status(f"{escape(text)}...") as status:
            self._status = status
            try:
                yield Step(self, text)
            finally:
                self._status = None
        self._release()

    def paint(self, text: str, colour: str) -> str:
        """Return the text in a colour, on a terminal that wants it."""
        return f"\033[{colour}m{text}\033[0m" if self.colour else text

    def _line(self, text: str) -> None:
        # a line of the model that is not ended must not run into ours
        before = "\n" if self._open or self._held else ""
        self.log(f"{before}{text}\n")

    def _release(self) -> None:
        held, self._held = self._held, ""
        if held:
            self._write(held)

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
        self._open = not text.endswith("\n") if text else self._open


class Step:
    """A step that is going on."""

    def __init__(self, console: Console, text: str) -> None:
        self._console = console
        self._text = text

    def detail(self, text: str) -> None:
        """Show what the step does just now: beside it on a terminal, on a line of its own elsewhere."""
        status = self._console._status  # noqa: SLF001 - the two classes are one thing
        if status is not None:
            from rich.markup import escape

            status.update(f"{escape(self._text)}... {escape(text)}")
        else:
            self._console.say(f"  {text}")
