"""`cog predict`: run the model once on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError
from cogyard.cli.model_options import ModelOptions, model_options
from cogyard.cli.options import (
    input_options,
    output_option,
    read_context,
    replicate_token,
)
from cogyard.cli.run import run_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cog_server.embedded import Event

    from cogyard.cli.outputs import Outputs
    from cogyard.cli.running import ReadyModel, Wish


class PredictionFailedError(CommandError):
    """The model ran, and did not give an output."""

    code = "prediction_failed"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked on the command line."""

    wish: Wish
    inputs: tuple[str, ...]
    json: str | None
    destination: str | None
    context: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def noun(self) -> str:
        """What is run, for messages."""
        return "training" if self.wish.training else "prediction"


@click.command(short_help="Run the model once, on this machine.")
@click.argument("image", required=False)
@click.argument("extra", nargs=-1, metavar="")
@input_options
@output_option
@replicate_token
@model_options
def predict(
    *,
    image: str | None,
    extra: tuple[str, ...],
    inputs: tuple[str, ...],
    json_text: str | None,
    destination: str | None,
    use_replicate_token: bool,
    model: ModelOptions,
) -> None:
    """Run the model once: the project of this folder in an environment made from cog.yaml, or IMAGE.

    Text is printed as it comes; files are written as output.EXT, or where -o says; anything else is printed as JSON.

    An image runs in Docker or podman; one built here also without them (--engine none).
    """
    from cogyard.cli.inputting import check_exclusive

    refuse_inputs((image, *extra))
    check_exclusive(inputs, json_text)
    said = read_context(use_replicate_token)
    with model.wish(image=image) as wish:
        run_once(
            Request(wish=wish, inputs=inputs, json=json_text, destination=destination, context=said),
            Console(),
        )


run = predict


def refuse_inputs(words: tuple[str | None, ...]) -> None:
    """Refuse an input that was given without -i, and more than one image."""
    given = [word for word in words if word is not None]
    for word in given:
        if "=" in word:
            raise MisuseError(f"`{word}` was given without -i", hint=f"Write: cog predict -i {word}")
    if len(given) > 1:
        raise MisuseError(f"`{given[1]}` is not understood: one image is run at a time")


def run_once(request: Request, console: Console) -> None:
    """Run the model once and show what it gives. Raises CogyardError subclasses."""
    from cog_server.errors import InputInvalidError

    from cogyard.cli.inputting import misfit, read_input
    from cogyard.cli.outputs import Outputs
    from cogyard.cli.running import UndescribedError, find_model

    found = find_model(request.wish, console)
    document = found.document
    # Mistakes in the inputs are told before anything slow begins.
    values = (
        read_input(request.inputs, request.json, document, request.wish.scratch)
        if document is not None
        else None
    )
    Outputs(document or {}, request.destination, console).check()
    ready = found.prepare(console)
    try:
        run_async(_run(request, ready, values, console))
    except UndescribedError as error:
        raise (found.undescribed or error) from None
    except InputInvalidError as error:
        raise misfit(error) from error


async def _run(request: Request, ready: ReadyModel, values: dict[str, Any] | None, console: Console) -> None:
    from cogyard.cli.inputting import read_input
    from cogyard.cli.outputs import Outputs
    from cogyard.cli.running import UndescribedError

    async with AsyncExitStack() as stack:
        with console.working("Starting the model"):
            starting = ready.start(lambda _source, text: console.log(text))
            model = await stack.enter_async_context(starting)
        console.done(f"Model running in {ready.label}\n")
        if values is None:
            if not model.schema:
                raise UndescribedError("the model's inputs and output cannot be described")
            values = read_input(request.inputs, request.json, model.schema, request.wish.scratch)
        outputs = Outputs(model.schema, request.destination, console, training=request.wish.training)
        # The generator holds the output files: it is closed when they are written, not when it is collected.
        predicting = cast("AsyncGenerator[Event]", model.predict(values, context=request.context))
        async with aclosing(predicting) as events:
            output = await _show(request, events, outputs, console, hint=_on_empty(values))
        _tell_departures(output, model.schema, request, console)


def _tell_departures(
    output: Any, document: Mapping[str, Any] | None, request: Request, console: Console
) -> None:
    """Say where the output is not what the model's annotation promises to those who call it."""
    from cogyard.cli.promised import departures

    found = departures(output, document or {}, training=request.wish.training)
    if output is None or not found:
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    console.warn(
        f"the output is not what the return annotation promises: {found[0]}{more}",
        "Callers go by the annotation: it is in the model's schema. Change it, or what is returned.",
    )


def _on_empty(values: Mapping[str, Any]) -> str | None:
    """Return what to say of a failure when a file it was given has nothing in it: models rarely say that."""
    from cogyard.cli.inputting import empty_files

    empty = empty_files(values)
    return f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty (0 bytes)." if empty else None


async def _show(
    request: Request, events: AsyncIterator[Event], outputs: Outputs, console: Console, *, hint: str | None
) -> Any:
    """Show a prediction's events, and return its output; with --json, print the complete answer at the end instead."""
    from cog_server.embedded import Completed, Log, Output

    whole, output = request.json is not None, None
    async for event in events:
        if isinstance(event, Output) and not whole:
            outputs.chunk(event.chunk, event.index)
        elif isinstance(event, Log):
            console.log(event.data)
        elif isinstance(event, Completed):
            if whole:
                outputs.whole(answer(event))
            if event.status != "succeeded":
                raise PredictionFailedError(
                    f"the {request.noun} {event.status}: {event.error or 'no reason given'}", hint=hint
                )
            if not whole:
                outputs.finish(event.output)
            output = event.output
    return output


def answer(event: Any) -> Mapping[str, Any]:
    """Return a Completed event as the answer that `--json` prints."""
    return {
        "id": event.id,
        "status": event.status,
        "output": event.output,
        "error": event.error,
        "logs": event.logs,
        "metrics": event.metrics,
    }
