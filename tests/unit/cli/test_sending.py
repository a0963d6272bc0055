"""What people see of a push, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest
from cogyard.cli.console import Console
from cogyard.cli.sending import sending
from cogyard.oci.descriptor import LAYER, Descriptor
from cogyard.oci.digest import of

LARGE = Descriptor(media_type=LAYER, digest=of(b"large"), size=50_000_000)
SMALL = Descriptor(media_type=LAYER, digest=of(b"small"), size=1000)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def show(stream: io.StringIO) -> int:
    """Push three layers: one sent, one mounted, one that was there; return what was spared."""
    with sending(Console(stream), "Pushing it") as watcher:
        watcher.sent("weights [bold]", LARGE, 0)
        watcher.sent("weights [bold]", LARGE, 25_000_000)
        watcher.done("weights [bold]", LARGE, "uploaded")
        watcher.done("base", SMALL, "mounted")
        watcher.done("lock", SMALL, "present")
    return watcher.spared


def test_each_layer_has_a_line_where_there_is_no_terminal() -> None:
    """What was there is only counted; the rest is named with its size."""
    stream = io.StringIO()
    assert show(stream) == 2000
    assert stream.getvalue().splitlines() == [
        "Pushing it",
        "  weights [bold] sent (50.0 MB)",
        "  base taken from another model there (1.0 kB)",
    ]


def test_a_terminal_has_bars_and_whole_lines_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer's name is shown as it is, and no line begins in the middle of a bar."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    show(stream)
    text = stream.getvalue()
    assert "weights [bold]" in text
    before = text.partition("  weights [bold] sent (50.0 MB)")[0]
    assert before.endswith(("\n", "\x1b[2K", "\x1b[0m"))
