"""A command line as a table of its commands, and its help: what answers `--help` imports next to nothing.

click, which runs the commands, costs four fifths of the time that `--help` would take.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HELP = ("-h", "--help")
OPTIONS = {
    "--debug": "Show where a defect is, and the model server's own log.",
    "--no-color": "No colour, as with the variable NO_COLOR.",
    "--version": "Show the version and exit.",
    "-h, --help": "Show this message and exit.",
}
EPILOG = "Exit statuses: 0 done, 1 failed, 2 called wrongly, 130 ended with Ctrl-C."


# Named tuples would import `typing`, which takes half as long as Python itself to begin.
class Row:
    """One command: `module:attribute` of its click command, and its line in the list of commands."""

    def __init__(self, target: str, summary: str, *, hidden: bool = False) -> None:
        self.target, self.summary, self.hidden = target, summary, hidden


class Table:
    """A command line: its name, what it is for, what it says for a version, its commands in their order."""

    def __init__(
        self, name: str, about: str, version: str, rows: Mapping[str, Row], epilog: str = EPILOG
    ) -> None:
        self.name, self.about, self.version, self.rows, self.epilog = name, about, version, rows, epilog


def help_text(table: Table) -> str:
    """Return what `--help` says."""
    lines = [f"Usage: {table.name} [OPTIONS] COMMAND [ARGS]...", "", f"  {table.about}"]
    shown = {name: row.summary for name, row in table.rows.items() if not row.hidden}
    for title, entries in (("Options", OPTIONS), ("Commands", shown)):
        width = max(map(len, entries))
        lines += ["", f"{title}:", *(f"  {name:<{width}}  {text}" for name, text in entries.items())]
    return "\n".join([*lines, "", f"  {table.epilog}"]) + "\n"


def main(table: Table) -> None:
    """Run a command line to its exit status."""
    if len(sys.argv) == 2 and sys.argv[1] in HELP:
        try:
            sys.stdout.write(help_text(table))
            sys.stdout.flush()
        except OSError:
            pass  # a full disk, or nobody who reads: the longer way has the words for it
        else:
            return
    from cogyard.cli.groups import group
    from cogyard.cli.run import run

    sys.exit(run(group(table), table.name))
