"""Messages: plain where nobody looks, coloured on a terminal that wants it."""

from __future__ import annotations

import io

import pytest
from cogyard.cli.build import Shown
from cogyard.cli.console import Console, Step, plain


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COG_NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_pipe_gets_plain_lines() -> None:
    """No colour, no motion: a log can be read."""
    stream = io.StringIO()
    console = Console(stream)
    with console.working("Building") as step:
        step.detail("Resolving")
    console.done("Building... done")
    console.warn("careful", "hint")
    console.error("broken", "mend it")
    assert stream.getvalue() == (
        "  Resolving\n✓ Building... done\nWarning: careful\n  hint\nError: broken\n  mend it\n"
    )


def test_a_terminal_gets_colour_unless_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR is followed."""
    stream = Terminal()
    Console(stream).done("ready")
    assert "\033[32m✓\033[0m ready" in stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Console(stream).done("ready")
    assert stream.getvalue() == "✓ ready\n"


class Moving(Step):
    """A step that remembers what its line said."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "Building x")
        self.said: list[str] = []

    def detail(self, text: str) -> None:
        """Remember it."""
        self.said.append(text)


def test_what_is_done_is_not_said_to_go_on() -> None:
    """A finished step takes what the moving line said of it along; where nothing moves, nothing is said."""
    console = Console(Terminal())
    step = Moving(console)
    shown = Shown(console, step)
    shown.detail("reading the index of Debian trixie")
    shown.done("Base debian:trixie")
    assert step.said == ["reading the index of Debian trixie", ""]
    stream = io.StringIO()
    plainly = Console(stream)
    shown = Shown(plainly, Step(plainly, "Building x"))
    shown.detail("reading")
    shown.done("Base")
    assert stream.getvalue() == "✓ Base\n"


def test_a_terminal_sees_a_step_move_and_the_logs_whole() -> None:
    """Text of the model is not mixed into the moving line."""
    stream = Terminal()
    console = Console(stream)
    with console.working("Starting [the model]") as step:
        step.detail("now")
        console.log("from the model\n")
    console.done("after")
    assert "from the model\n" in stream.getvalue()
    assert "Starting [the model]" in stream.getvalue()
    assert stream.getvalue().endswith("after\n")


def test_a_line_in_two_pieces_stays_whole_beside_a_moving_one() -> None:
    """print() sends the text and its line end apart; the moving line must not wipe the first of them."""
    stream = Terminal()
    console = Console(stream)
    with console.working("Starting"):
        console.log("setting")
        console.log(" up")
        assert "setting" not in stream.getvalue()
        console.log("\nunfinished")
        assert "setting up\n" in stream.getvalue()
    console.done("ready")
    assert stream.getvalue().endswith("unfinished\n\033[32m✓\033[0m ready\n")


def test_our_lines_begin_on_a_line_of_their_own() -> None:
    """Whatever the model printed last."""
    stream = io.StringIO()
    console = Console(stream)
    console.log("no end")
    console.error("failed")
    console.say("more")
    assert stream.getvalue() == "no end\nError: failed\nmore\n"


def test_quiet_keeps_what_matters() -> None:
    """Warnings and errors stay."""
    stream = io.StringIO()
    console = Console(stream, quiet=True)
    console.say("chatter")
    console.done("chatter")
    console.warn("careful")
    assert stream.getvalue() == "Warning: careful\n"


@pytest.mark.parametrize("name", ["\x1b[31mred", "\x1b]0;title\x07", "one\r\ntwo", "\u202egnp.exe", "\x00"])
def test_what_a_stranger_wrote_moves_no_cursor(name: str) -> None:
    """Names of tokens and accounts are anybody's; the operator's terminal obeys none of them."""
    assert plain(name).isprintable()
    assert plain("Ann Łucja 日本") == "Ann Łucja 日本"
