"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from cogyard.cli.errors import MisuseError
from cogyard.project import CONFIG_NAME

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

config_file: Decorator = click.option(
    "-f",
    "--file",
    "filename",
    default=CONFIG_NAME,
    show_default=True,
    metavar="NAME",
    help="The name of the configuration file; looked for in this folder, then upward.",
)

variables: Decorator = click.option(
    "-e",
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=value",
    help="An environment variable for the model; may be given several times.",
)

setup_timeout: Decorator = click.option(
    "--setup-timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give up when setup() takes longer; no limit unless given.",
)


def read_variables(given: Sequence[str]) -> dict[str, str]:
    """Return `NAME=value` options as a mapping; raise MisuseError for what is not in that form."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise MisuseError(f"failed to parse -e `{name}`: the expected form is NAME=value")
        found[name] = value
    return found
