"""`cog test`: run the project's examples and compare."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from cogyard.cli.console import GREEN, RED, YELLOW, Console
from cogyard.cli.errors import MisuseError, SilentExitError
from cogyard.cli.model_options import ModelOptions, model_options
from cogyard.cli.run import run_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cog_server.embedded import Completed, Event

    from cogyard.cli.running import RunningModel, Wish
    from cogyard.project.examples import Example

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
_MARKS = {PASSED: ("✓", GREEN), FAILED: ("✗", RED), SKIPPED: ("-", YELLOW)}
#: Lines of the model's own words below an example that failed.
_LOG_LINES = 20
#: A worker that died is started anew; an example waits for it this long.
_RESTART = 60.0
_LOOK_AGAIN = 0.1


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one example went."""

    example: Example
    outcome: str
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    logs: str = ""

    def to_json(self) -> Mapping[str, Any]:
        """Return it for machines."""
        return {
            "name": self.example.name,
            "line": self.example.line,
            "outcome": self.outcome,
            "seconds": round(self.seconds, 6),
            "problems": list(self.problems),
        }


@click.command(short_help="Run the project's examples and compare.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-x", "--exitfirst", "first", is_flag=True, help="End with the first example that fails.")
@click.option("--list", "listing", is_flag=True, help="Only print the examples' names.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@model_options
def test(
    *,
    names: tuple[str, ...],
    first: bool,
    listing: bool,
    as_json: bool,
    model: ModelOptions,
) -> None:
    """Run the examples of cog-test.yaml, all or those named (* stands for any letters), on one running model.

    Ends with 0 when all went as expected, 1 when one did not. How they are written: docs/how-to/test-a-model.md.
    """
    from cogyard.project import find_root
    from cogyard.project.examples import read_examples

    root = find_root(Path.cwd(), model.filename)
    chosen = choose(read_examples(root), names)
    if listing:
        for example in chosen:
            print(example.name)
        return
    console = Console()
    with model.wish() as wish:
        session = Session(
            wish=wish, root=root, examples=chosen, first=first, as_json=as_json, console=console
        )
        results = session.run()
    if as_json:
        print(json.dumps([result.to_json() for result in results], indent=2, ensure_ascii=False))
    if any(result.outcome == FAILED for result in results):
        raise SilentExitError(1)


def choose(examples: Sequence[Example], names: Sequence[str]) -> tuple[Example, ...]:
    """Return the examples with these names or patterns; raise MisuseError for a name that none has."""
    if not names:
        return tuple(examples)
    from cogyard.project.suggest import did_you_mean

    for name in names:
        if not any(fnmatch.fnmatchcase(example.name, name) for example in examples):
            every = [example.name for example in examples]
            hint = did_you_mean(name, every) or f"Examples there are: {', '.join(every)}."
            raise MisuseError(f"there is no example `{name}`", hint=hint)
    return tuple(
        example for example in examples if any(fnmatch.fnmatchcase(example.name, name) for name in names)
    )


@dataclass(frozen=True, kw_only=True)
class Session:
    """One run over some examples."""

    wish: Wish
    root: Path
    examples: Sequence[Example]
    first: bool
    as_json: bool
    console: Console

    def run(self) -> list[Result]:
        """Run them in order on one running model, and report as they end."""
        from cogyard.cli.running import find_model

        ready = find_model(self.wish, self.console).prepare(self.console)
        return run_async(self._run(ready))

    async def _run(self, ready: Any) -> list[Result]:
        results: list[Result] = []
        began = time.monotonic()
        async with ready.start(lambda _source, text: self.console.log(text)) as model:
            self.console.done(f"Model running in {ready.label}\n")
            for example in self.examples:
                result = await self._one(model, example)
                results.append(result)
                self._report(result)
                if self.first and result.outcome == FAILED:
                    break
        self._sum_up(results, time.monotonic() - began)
        return results

    async def _one(self, model: RunningModel, example: Example) -> Result:
        from cog_server.errors import ServerError

        from cogyard.cli.expect import disappointments
        from cogyard.errors import CogyardError

        if example.skip is not None:
            return Result(example=example, outcome=SKIPPED, problems=(example.skip,))
        began = time.monotonic()
        logs = ""
        try:
            values = self._input(model, example)
            async with asyncio.timeout(example.timeout):
                predicting = cast("AsyncGenerator[Event]", await _accepted(model, values))
                async with aclosing(predicting) as events:
                    done = await _last(events)
                    logs = done.logs
                    problems = disappointments(example, done, self.root)
        except TimeoutError:
            problems = [f"it took longer than {example.timeout:g} s"]
        except (CogyardError, ServerError) as error:
            problems = [error.message]
        return Result(
            example=example,
            outcome=FAILED if problems else PASSED,
            seconds=time.monotonic() - began,
            problems=tuple(problems),
            logs=logs,
        )

    def _input(self, model: RunningModel, example: Example) -> dict[str, Any]:
        from cogyard.cli.inputting import read_input

        text = json.dumps(_rooted(example.input, self.root))
        return read_input((), text, model.schema, self.wish.scratch)

    def _report(self, result: Result) -> None:
        if self.as_json:
            return
        shown = Console(stream=_stdout())
        mark, colour = _MARKS[result.outcome]
        took = f" ({_seconds(result.seconds)})" if result.outcome != SKIPPED else ""
        reason = f": {result.problems[0]}" if result.outcome == SKIPPED else ""
        shown.say(f"{shown.paint(mark, colour)} {result.example.name}{took}{reason}")
        if result.outcome != FAILED:
            return
        for problem in result.problems:
            shown.say("    " + problem.replace("\n", "\n    "))
        lines = result.logs.splitlines()[-_LOG_LINES:]
        for line in lines:
            shown.say(f"    | {line}")

    def _sum_up(self, results: Sequence[Result], seconds: float) -> None:
        if self.as_json:
            return
        counts = {name: sum(result.outcome == name for result in results) for name in _MARKS}
        parts = [f"{number} {name}" for name, number in counts.items() if number]
        if left := len(self.examples) - len(results):
            parts.append(f"{left} not run")
        shown = Console(stream=_stdout())
        shown.say(f"\n{', '.join(parts) or 'no examples'} in {_seconds(seconds)}")


async def _accepted(model: RunningModel, values: Mapping[str, Any]) -> Any:
    """Begin a prediction; a model whose worker died a moment ago is waited for."""
    from cog_server.errors import NotReadyError

    deadline = time.monotonic() + _RESTART
    while True:
        events = cast("AsyncGenerator[Event]", model.predict(values))
        try:
            started = await anext(events)
        except NotReadyError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_LOOK_AGAIN)
        else:
            return _again(started, events)


async def _again(first: Event, rest: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    async with aclosing(rest):
        yield first
        async for event in rest:
            yield event


async def _last(events: AsyncGenerator[Event]) -> Completed:
    from cog_server.embedded import Completed

    from cogyard.cli.errors import CommandError

    async for event in events:
        if isinstance(event, Completed):
            return event
    raise CommandError("the prediction had no end")


def _rooted(value: Any, root: Path) -> Any:
    """Let @file in an example count from the project's folder, wherever the command is called."""
    if isinstance(value, str) and value.startswith("@") and len(value) > 1 and value != "@-":
        return f"@{root / value[1:]}"
    if isinstance(value, Mapping):
        return {key: _rooted(one, root) for key, one in value.items()}
    if isinstance(value, list):
        return [_rooted(one, root) for one in value]
    return value


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _stdout() -> Any:
    import sys

    return sys.stdout
