"""The table of commands: quick help, near names, one place for every failure."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import click
import pytest
from cogyard.cli import cog, cogyard, reference
from cogyard.cli.errors import MisuseError, SilentExitError
from cogyard.cli.groups import group
from cogyard.cli.options import read_variables
from cogyard.cli.run import run
from cogyard.cli.table import OPTIONS, Table, help_text
from cogyard.errors import CogyardError

TABLES = [("cog", cog.COMMANDS), ("cogyard", cogyard.COMMANDS)]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("group", "command"),
    [
        (group, name)
        for group, rows in ((group(cog.TABLE), cog.COMMANDS), (group(cogyard.TABLE), cogyard.COMMANDS))
        for name in rows
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_every_row_of_the_table_is_a_command(group: click.Group, command: str) -> None:
    """A row leads to a click command that has a help text."""
    target = {**cog.COMMANDS, **cogyard.COMMANDS}[command].target
    if find_spec(target.partition(":")[0]) is None:
        pytest.skip(f"{target} is not written yet")
    found = group.get_command(click.Context(group), command)
    assert found is not None
    assert found.help


def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str]:
    """Run `cog` in process; return its exit status and what it said on stderr."""
    monkeypatch.setattr(sys, "argv", ["cog", *arguments])
    return run(group(cog.TABLE), "cog"), capsys.readouterr().err


@pytest.mark.parametrize("table", [cog.TABLE, cogyard.TABLE], ids=["cog", "cogyard"])
def test_lists_of_commands_are_whole_sentences(table: Table) -> None:
    """No line about a command's own commands is cut off, and an unknown one is answered with a near one."""
    whole = group(table)
    context = click.Context(whole, info_name="x")
    for name in whole.list_commands(context):
        command = whole.get_command(context, name)
        if not isinstance(command, click.Group):
            continue
        with click.Context(command, info_name=name, terminal_width=80) as inner:
            assert "..." not in command.get_help(inner).partition("Commands:")[2]
            known = command.list_commands(inner)[0]
            with pytest.raises(click.UsageError, match=f"Did you mean `{known}`"):
                command.resolve_command(inner, [f"{known}x"])


def test_an_unknown_command_is_answered_with_a_near_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typing mistakes end with status 2 and a suggestion."""
    status, text = said(capsys, monkeypatch, "prdict")
    assert status == 2
    assert "Did you mean `predict`?" in text


def test_a_wrong_option_is_misuse(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Click's own errors are printed as ours."""
    status, text = said(capsys, monkeypatch, "predict", "--nope")
    assert status == 2
    assert text.startswith("Error: ")
    assert "cog predict --help" in text


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (CogyardError("broken", hint="mend it"), 1, "Error: broken\n  mend it\n"),
        (MisuseError("wrong"), 2, "Error: wrong\n"),
        (SilentExitError(3), 3, ""),
        (KeyboardInterrupt(), 130, "\nStopped.\n"),
        (
            OSError(errno.ENOSPC, "No space"),
            1,
            "Error: no room is left on the disk that the output goes to\n",
        ),
        (OSError(errno.ENOSPC, "No space", "/x"), 1, "Error: no room is left on the disk that holds /x\n"),
        (
            OSError(errno.EACCES, "Permission denied", "/x"),
            1,
            "Error: /x cannot be used: Permission denied\n",
        ),
        (RuntimeError("oops"), 1, "Error: this is a defect of cog itself: RuntimeError: oops\n"),
    ],
)
def test_every_failure_becomes_a_message_and_a_status(
    error: BaseException,
    status: int,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No traceback reaches a user."""

    @click.command()
    def fails() -> None:
        raise error

    monkeypatch.delenv("COG_DEBUG", raising=False)
    monkeypatch.setattr(sys, "argv", ["cog"])
    assert run(fails, "cog") == status
    printed = capsys.readouterr().err
    assert printed.startswith(text)
    assert "Traceback" not in printed


def test_options_of_every_command_stand_before_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--no-color and --debug do what their variables do."""
    for name in ("NO_COLOR", "COG_DEBUG"):
        monkeypatch.setenv(name, "")
    status, _ = said(capsys, monkeypatch, "--no-color", "--debug", "predict", "--nope")
    assert status == 2
    assert (os.environ["NO_COLOR"], os.environ["COG_DEBUG"]) == ("1", "1")


@pytest.mark.parametrize("table", [cog.TABLE, cogyard.TABLE], ids=lambda table: table.name)
def test_help_without_click_is_click_s_own(table: Table) -> None:
    """What answers `--help` alone names every option that there is, and stands wherever click shows help."""
    made = group(table)
    context = click.Context(made, info_name=table.name)
    named = {one.split(", ")[-1] for one in OPTIONS}
    assert named == {option for one in made.get_params(context) for option in one.opts if option != "-h"}
    assert made.get_help(context) + "\n" == help_text(table)
    assert max(map(len, help_text(table).splitlines())) <= 110


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """-e NAME=value; -e NAME takes this shell's value, as Docker does; nothing else."""
    monkeypatch.setenv("HERE", "a=b")
    monkeypatch.delenv("A", raising=False)
    assert read_variables(["HERE", "HERE_TOO="]) == {"HERE": "a=b", "HERE_TOO": ""}
    assert read_variables(["A=1", "B=x=y", "C="]) == {"A": "1", "B": "x=y", "C": ""}
    for wrong in ("A", "=1", "1A=2", "A B=1"):
        with pytest.raises(MisuseError, match="NAME=value"):
            read_variables([wrong])


def test_the_reference_page_has_a_heading_for_every_command() -> None:
    """The page is made from the commands themselves."""
    page = reference.page()
    for name, rows in TABLES:
        for command, row in rows.items():
            if find_spec(row.target.partition(":")[0]) is not None:
                assert f"\n### {name} {command}\n" in page
    assert "| 130 |" in page
