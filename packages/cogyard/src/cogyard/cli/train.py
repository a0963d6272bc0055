"""`cog train`: run the model's training once on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from cogyard.cli.console import Console
from cogyard.cli.options import (
    config_file,
    engine,
    input_options,
    read_context,
    read_variables,
    replicate_token,
    setup_timeout,
    variables,
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
@variables
@replicate_token
@setup_timeout
@engine
@config_file
def train(
    *,
    extra: tuple[str, ...],
    inputs: tuple[str, ...],
    json_text: str | None,
    destination: str,
    variables: tuple[str, ...],
    use_replicate_token: bool,
    setup_timeout: float | None,
    engine: str,
    filename: str,
) -> None:
    """Run the function that `train` of cog.yaml names once, and write the weights it makes.

    What it returns beside the weights is printed as JSON. With --json the whole answer goes to stdout.
    """
    from cogyard.cli.errors import MisuseError
    from cogyard.cli.inputting import check_exclusive
    from cogyard.cli.predict import Request, refuse_inputs, run_once
    from cogyard.cli.running import Wish

    refuse_inputs(extra)
    if extra:
        raise MisuseError(f"`{extra[0]}` is not understood", hint="A training runs from its project.")
    check_exclusive(inputs, json_text)
    environment = read_variables(variables)
    said = read_context(use_replicate_token)
    context = click.get_current_context()
    given = context.get_parameter_source("destination") is not click.core.ParameterSource.DEFAULT
    with tempfile.TemporaryDirectory(prefix="cog-") as scratch:
        wish = Wish(
            filename=filename,
            engine=engine,
            variables=environment,
            setup_timeout=setup_timeout,
            training=True,
            scratch=Path(scratch),
        )
        target = destination if given or json_text is None else None
        run_once(
            Request(wish=wish, inputs=inputs, json=json_text, destination=target, context=said), Console()
        )
