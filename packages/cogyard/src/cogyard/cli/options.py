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

listening_host: Decorator = click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; 0.0.0.0 lets other machines in, with no password.",
)

variables: Decorator = click.option(
    "-e",
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=value",
    help="An environment variable for the model; NAME alone takes this shell's value. May be given several times.",
)

setup_timeout: Decorator = click.option(
    "--setup-timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give up when setup() takes longer; no limit unless given.",
)


def read_variables(given: Sequence[str]) -> dict[str, str]:
    """Return `NAME=value` options as a mapping, `NAME` with this shell's value; raise MisuseError for anything else."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if name.isidentifier() and not equals:
            if name not in os.environ:
                raise MisuseError(
                    f"-e `{name}`: write NAME=value; this shell has no variable {name} to take it from"
                )
            value = os.environ[name]
        elif not name.isidentifier():
            raise MisuseError(f"failed to parse -e `{name}`: the expected form is NAME=value")
        found[name] = value
    return found


engine: Decorator = click.option(
    "--engine",
    type=click.Choice(["auto", "none", "docker", "podman"]),
    default="auto",
    show_default=True,
    envvar="COG_ENGINE",
    help="What runs the model: `none` is ordinary processes, with no container. `auto` takes processes for a project, "
    "and for an image the engine that answers, else processes. Also COG_ENGINE.",
)

gpus: Decorator = click.option(
    "--gpus",
    metavar="GPUS",
    help="The GPUs of the container, as Docker takes them: all, 2, or device=0; 0 is none. Processes see every GPU "
    "there is.",
)

replicate_token: Decorator = click.option(
    "--use-replicate-token",
    is_flag=True,
    help="Give the model REPLICATE_API_TOKEN of this shell, as context.replicate_api_token of the prediction.",
)


def read_context(use_replicate_token: bool) -> dict[str, str]:  # noqa: FBT001 - the option's own value
    """Return the context that the options ask for. Raises MisuseError when there is no token to give."""
    if not use_replicate_token:
        return {}
    token = os.environ.get("REPLICATE_API_TOKEN", "").strip()
    if not token:
        raise MisuseError(
            "--use-replicate-token was given, and REPLICATE_API_TOKEN is not set",
            hint="Write: REPLICATE_API_TOKEN=… in front of the command, or leave the option out.",
        )
    return {"replicate_api_token": token}


output_option: Decorator = click.option(
    "-o", "--output", "destination", metavar="PATH", help="Where the output goes; - is stdout."
)


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command -i and --json."""
    command = click.option(
        "--json",
        "json_text",
        metavar="JSON|@FILE|-",
        help="All inputs as one JSON object; the whole answer is then printed as JSON.",
    )(command)
    return click.option(
        "-i",
        "--input",
        "inputs",
        multiple=True,
        metavar="NAME=value",
        help="An input: -i text=hello, -i image=@file.jpg, -i image=@- (stdin), or an http(s) address for a file. "
        "The same name several times makes a list.",
    )(command)
