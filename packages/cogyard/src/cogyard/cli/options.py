"""Options that several commands take."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from cogyard.cli.errors import MisuseError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def everywhere(group: Callable[..., Any]) -> Callable[..., Any]:
    """Give a group the options that concern every command."""
    for name, variable, meaning in (
        ("--no-color", "NO_COLOR", "No colour, as with the variable NO_COLOR."),
        ("--debug", "COG_DEBUG", "Show where a defect is, and the model server's own log."),
    ):
        option = click.option(
            name, is_flag=True, expose_value=False, is_eager=True, callback=_setter(variable), help=meaning
        )
        group = option(group)
    return group


def _setter(variable: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def set_variable(_context: click.Context, _parameter: click.Parameter, given: bool) -> None:  # noqa: FBT001 - click's way
        if given:
            os.environ[variable] = "1"

    return set_variable


config_file: Decorator = click.option(
    "-f",
    "--file",
    "filename",
    default="cog.yaml",
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
