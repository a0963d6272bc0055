"""The command lines as click runs them."""

from __future__ import annotations

import click

from cogyard.cli.lazy import LazyGroup
from cogyard.cli.options import everywhere
from cogyard.cli.table import HELP, Table


def group(table: Table) -> LazyGroup:
    """Return the click group of a table."""

    @click.command(
        cls=LazyGroup,
        table=table,
        no_args_is_help=True,
        context_settings={"help_option_names": list(HELP), "max_content_width": 100},
        help=table.about,
        epilog=table.epilog,
    )
    @everywhere
    @click.version_option(package_name="cogyard", message=table.version)
    def choose() -> None:
        """Choose a command."""

    return choose
