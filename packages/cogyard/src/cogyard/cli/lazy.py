"""A group of commands whose modules are imported when they are called, so that `--help` is quick."""

from __future__ import annotations

import os
from importlib import import_module

import click

from cogyard.cli.table import Table, help_text


class SuggestingGroup(click.Group):
    """A click group that answers an unknown command with the nearest there is."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was meant."""
        name, known = args[0], self.list_commands(ctx)
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from cogyard.project.suggest import did_you_mean

            hint = did_you_mean(name, known) or f"There are {', '.join(known)}."
            ctx.fail(f"there is no command `{name}`. {hint}")
        return super().resolve_command(ctx, args)


class LazyGroup(SuggestingGroup):
    """A click group made from a table of rows."""

    def __init__(self, *, table: Table, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type] # click's own settings, passed on
        self.table = table
        self.rows = dict(table.rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and take what scripts written for Cog say after it out of its words."""
        name, command, words = super().resolve_command(ctx, args)
        if command is None or name is None or isinstance(command, click.Group):
            return name, command, words
        from cogyard.cli import older

        if (name, self.table.name) == ("run", "cog"):
            execute = self.get_command(ctx, "exec")
            if execute is not None and older.means_exec(words, command, execute, os.path.isfile):
                click.echo("Warning: `cog run COMMAND` is deprecated; write `cog exec COMMAND`", err=True)
                name, command = "exec", execute
        line = older.read_for(name, command, words)
        for option in line.everywhere:
            os.environ[older.EVERYWHERE[option]] = "1"
        for option in dict.fromkeys(line.without):
            why = older.COGS[name][option].why
            if why is not None:
                click.echo(f"Warning: `{option}` has no effect here: {why}", err=True)
        return name, command, line.words

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        """Return the commands in the order of the table."""
        return [name for name, row in self.rows.items() if not row.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import and return one command."""
        row = self.rows.get(cmd_name)
        if row is None:
            return None
        module, _, attribute = row.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{row.target} is not a click command")
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the table's own help, which `--help` alone shows without click."""
        formatter.write(help_text(self.table))
