"""The reference page of the commands, written from click itself: docs/reference/cli.md."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import click

from cogyard.cli import cog, cogyard
from cogyard.cli.errors import EXIT_STATUSES
from cogyard.cli.groups import group as group_of
from cogyard.cli.lazy import LazyGroup

HEADER = """\
# Commands

Made from the commands themselves by `scripts/docs.py`; do not edit.

Messages go to stderr, results to stdout. Colour and moving lines appear on a terminal only; `NO_COLOR` turns colour
off.
"""


def page() -> str:
    """Return the page in Markdown."""
    parts = [HEADER, "## Exit statuses\n", "| status | meaning |\n|---|---|"]
    parts[-1] += "".join(f"\n| {status} | {meaning} |" for status, meaning in EXIT_STATUSES.items()) + "\n"
    for table in (cog.TABLE, cogyard.TABLE):
        name, group = table.name, group_of(table)
        parts.append(f"## {name}\n\n{group.help} These options stand before the command:\n")
        parts.extend(_options(group, click.Context(group, info_name=name)))
        parts.extend(_group(name, group))
    return "\n".join(parts).rstrip() + "\n"


def _group(name: str, group: click.Command) -> Iterator[str]:
    if not isinstance(group, LazyGroup):
        return
    context = click.Context(group, info_name=name)
    seen: dict[int, str] = {}
    for command_name, row in group.rows.items():
        if row.hidden or find_spec(row.target.partition(":")[0]) is None:
            continue
        command, path = group.get_command(context, command_name), f"{name} {command_name}"
        if command is None:
            continue
        if id(command) in seen:
            yield f"### {path}\n\nThe same as `{seen[id(command)]}`.\n"
            continue
        seen[id(command)] = path
        yield _command(path, command, context)


def _command(path: str, command: click.Command, parent: click.Context) -> str:
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    lines = [f"### {path}\n", *_paragraphs(command.help or command.short_help or "")]
    lines += ["```text", command.get_usage(context).replace("Usage: ", "", 1), "```", ""]
    lines += _options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                lines.append(_command(f"{path} {name}", inner, context))
    return "\n".join(lines)


def _options(command: click.Command, context: click.Context) -> list[str]:
    rows = [record for one in command.params if (record := one.get_help_record(context)) and record[1]]
    if not rows:
        return []
    table = [f"| `{_cell(option)}` | {_cell(meaning)} |" for option, meaning in rows]
    return ["| option | meaning |", "|---|---|", *table, ""]


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) + "\n" for part in text.split("\n\n") if part.strip()]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
