"""`cog train`: run the model's training once on this machine."""

from __future__ import annotations

import click

from cogyard.cli.console import Console
from cogyard.cli.model_options import ModelOptions, model_options
from cogyard.cli.options import (
    input_options,
    read_context,
    replicate_token,
)

DEFAULT_WEIGHTS = "weights"


@click.command(short_help="Run the model's training once, and keep the weights.")
@click.argument("extra", nargs=-1, metavar="")
@input_options
@click.option(
    "-o",
    "--output",
    "destination",
    default=DEFAULT_WEIGHTS,
    show_default=True,
    metavar="PATH",
    help="Where the weights go: a file, a folder that is there, or - for stdout.",
)
@replicate_token
@model_options
def train(
    *,
    extra: tuple[str, ...],
    inputs: tuple[str, ...],
    json_text: str | None,
    destination: str,
    use_replicate_token: bool,
    model: ModelOptions,
) -> None:
    """Run the function that `train` of cog.yaml names once, and write the weights it makes.

    What it returns beside the weights is printed as JSON. With --json the whole answer goes to stdout.
    """
    from cogyard.cli.errors import MisuseError
    from cogyard.cli.inputting import check_exclusive
    from cogyard.cli.predict import Request, refuse_inputs, run_once

    refuse_inputs(extra)
    if extra:
        raise MisuseError(f"`{extra[0]}` is not understood", hint="A training runs from its project.")
    check_exclusive(inputs, json_text)
    said = read_context(use_replicate_token)
    context = click.get_current_context()
    given = context.get_parameter_source("destination") is not click.core.ParameterSource.DEFAULT
    with model.wish(training=True) as wish:
        target = destination if given or json_text is None else None
        run_once(
            Request(wish=wish, inputs=inputs, json=json_text, destination=target, context=said), Console()
        )
