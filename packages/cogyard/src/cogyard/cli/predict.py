"""`cog predict`: run the model once on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError
from cogyard.cli.options import config_file, read_variables, setup_timeout, variables
from cogyard.cli.run import run_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cog_server.embedded import Event
    from cog_server.errors import InputInvalidError

    from cogyard.cli.outputs import Outputs
    from cogyard.cli.prepare import Prepared


class PredictionFailedError(CommandError):
    """The model ran, and did not give an output."""

    code = "prediction_failed"


class ModelFailedError(CommandError):
    """The model did not start."""

    code = "setup_failed"


class UndescribedError(CommandError):
    """Neither the source nor the running model tells what goes in and comes out."""

    code = "undescribed"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked on the command line."""

    inputs: tuple[str, ...]
    json: str | None
    destination: str | None
    variables: Mapping[str, str]
    setup_timeout: float | None
    scratch: Path


@click.command(short_help="Run the model once, on this machine.")
@click.argument("extra", nargs=-1, metavar="")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=value",
    help="An input: -i text=hello, -i image=@file.jpg, -i image=@- (stdin), or an http(s) address for a file. "
    "The same name several times makes a list.",
)
@click.option(
    "--json",
    "json_text",
    metavar="JSON|@FILE|-",
    help="All inputs as one JSON object; the whole answer is then printed as JSON.",
)
@click.option("-o", "--output", "destination", metavar="PATH", help="Where the output goes; - is stdout.")
@variables
@setup_timeout
@config_file
def predict(
    *,
    extra: tuple[str, ...],
    inputs: tuple[str, ...],
    json_text: str | None,
    destination: str | None,
    variables: tuple[str, ...],
    setup_timeout: float | None,
    filename: str,
) -> None:
    """Run the model once, in an environment made from cog.yaml.

    Text is printed as it comes; files are written as output.EXT, or where -o says; anything else is printed as JSON.
    """
    _refuse(extra)
    if inputs and json_text is not None:
        raise MisuseError("-i and --json cannot be used together", hint="Put every input into the JSON.")
    environment = read_variables(variables)
    with tempfile.TemporaryDirectory(prefix="cog-") as scratch:
        request = Request(
            inputs=inputs,
            json=json_text,
            destination=destination,
            variables=environment,
            setup_timeout=setup_timeout,
            scratch=Path(scratch),
        )
        _predict(request, filename, Console())


run = predict


def _refuse(extra: tuple[str, ...]) -> None:
    if not extra:
        return
    if "=" in extra[0]:
        raise MisuseError(f"`{extra[0]}` was given without -i", hint=f"Write: cog predict -i {extra[0]}")
    raise MisuseError(
        f"`{extra[0]}` is not understood", hint="cog predict runs the model of the current folder."
    )


def _predict(request: Request, filename: str, console: Console) -> None:
    from cog_server.errors import InputInvalidError, SetupFailedError

    from cogyard.cli.outputs import Outputs
    from cogyard.cli.prepare import open_project, prepare, source_schema

    project = open_project(filename, console)
    if project.ref is None:
        hint = 'Add for example: predict: "predict.py:Predictor"'
        raise CommandError(f"{filename} has no `predict` (or `run`): there is nothing to run", hint=hint)
    document, undescribed = source_schema(project)
    # Mistakes in the inputs are told before anything slow begins.
    values = _values(request, document) if document is not None else None
    Outputs(document or {}, request.destination, console).check()
    prepared = prepare(project, console)
    try:
        run_async(_run(request, prepared, document, values, console))
    except UndescribedError as error:
        raise (undescribed or error) from None
    except InputInvalidError as error:
        raise _misfit(error) from error
    except SetupFailedError as error:
        raise ModelFailedError(f"the model's setup failed: {error.message}", hint=error.hint) from error


def _values(request: Request, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input that was given, checked as the model server checks it."""
    from cog_server.errors import InputInvalidError
    from cog_server.validation import InputSchema

    from cogyard.cli.inputs import Standard, from_arguments, from_json

    standard = Standard(scratch=request.scratch)
    if request.json is not None:
        values = from_json(request.json, document, standard)
    else:
        values = from_arguments(request.inputs, document, standard)
    try:
        InputSchema.compile(document).check(values)
    except InputInvalidError as error:
        raise _misfit(error) from error
    return values


def _misfit(error: InputInvalidError) -> CommandError:
    from cogyard.cli.inputs import InputsError

    lines = [f"{'.'.join(str(part) for part in one.loc[2:])}: {one.message}" for one in error.problems]
    listed = lines[0] if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)
    return InputsError(f"the input does not fit the model: {listed}")


async def _run(
    request: Request,
    prepared: Prepared,
    document: Mapping[str, Any] | None,
    values: dict[str, Any] | None,
    console: Console,
) -> None:
    from cog_server.embedded import Model, ModelOptions

    from cogyard.cli.outputs import Outputs

    project = prepared.project
    options = ModelOptions(
        python=prepared.environment.python,
        project=project.root,
        ref=project.ref,
        train_ref=project.train_ref,
        schema=document,
        concurrency=project.config.concurrency.max,
        setup_timeout=request.setup_timeout,
        env=prepared.variables(request.variables),
    )
    async with AsyncExitStack() as stack:
        with console.working("Starting the model"):
            starting = Model.start(options, on_log=lambda _source, text: console.log(text))
            model = await stack.enter_async_context(starting)
        console.done(f"Model running in environment {prepared.name}\n")
        if values is None:
            if not model.schema:
                raise UndescribedError("the model's inputs and output cannot be described")
            values = _values(request, model.schema)
        outputs = Outputs(model.schema, request.destination, console)
        # The generator holds the output files: it is closed when they are written, not when it is collected.
        predicting = cast("AsyncGenerator[Event]", model.predict(values))
        async with aclosing(predicting) as events:
            await _show(events, outputs, console, whole=request.json is not None)


async def _show(events: AsyncIterator[Event], outputs: Outputs, console: Console, *, whole: bool) -> None:
    """Show a prediction's events; `whole` prints the complete answer as JSON at the end instead."""
    from cog_server.embedded import Completed, Log, Output

    async for event in events:
        if isinstance(event, Output) and not whole:
            outputs.chunk(event.chunk, event.index)
        elif isinstance(event, Log):
            console.log(event.data)
        elif isinstance(event, Completed):
            if whole:
                outputs.whole(
                    {
                        "id": event.id,
                        "status": event.status,
                        "output": event.output,
                        "error": event.error,
                        "logs": event.logs,
                        "metrics": event.metrics,
                    }
                )
            if event.status != "succeeded":
                raise PredictionFailedError(
                    f"the prediction {event.status}: {event.error or 'no reason given'}"
                )
            if not whole:
                outputs.finish(event.output)
