"""Run a model without HTTP: the same worker, validation and events, for a program on the same machine.

    async with Model.start(ModelOptions(python=..., project=..., ref="predict.py:Predictor")) as model:
        async for event in model.predict({"text": "hello"}):
            ...

File outputs are `OutputFile` values; the files are there until the generator is closed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cog_server import ids
from cog_server import prediction as model_prediction
from cog_server.asked import Asked, Limits
from cog_server.errors import InputInvalidError, ServerError, SetupFailedError, UnknownPredictionError
from cog_server.events import Completed, Event, Log, Metric, Output, Started
from cog_server.inputs.addresses import AddressRule
from cog_server.inputs.prepare import FILE_KEY
from cog_server.outputs import OutputFile, output_file
from cog_server.prediction import Prediction
from cog_server.runner import Runner, RunnerOptions
from cog_server.workers.process import WorkerCommand
from cog_server.workers.supervisor import OnLog

__all__ = [
    "Completed",
    "Event",
    "InputInvalidError",
    "Log",
    "Metric",
    "Model",
    "ModelOptions",
    "Output",
    "OutputFile",
    "ServerError",
    "SetupFailedError",
    "Started",
]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What to run, and in which Python."""

    python: Path
    project: Path
    ref: str | None
    train_ref: str | None = None
    mode: str = "predict"
    schema: Mapping[str, Any] | None = None
    concurrency: int | None = None
    setup_timeout: float | None = None
    workers: int = 1
    env: Mapping[str, str] | None = None
    allow_private_inputs: bool = True
    script: Path | None = None
    """A stand-in for the worker, for tests."""


class Model:
    """A model whose setup() has succeeded; get one from `Model.start`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    @classmethod
    @asynccontextmanager
    async def start(cls, options: ModelOptions, *, on_log: OnLog | None = None) -> AsyncIterator[Model]:
        """Start the model and wait for its setup(); `on_log(source, text)` hears what it prints outside predictions.

        Raises SetupFailedError, which has the logs.
        """
        env = dict(options.env or {})
        if options.concurrency is not None:
            env["COG_MAX_CONCURRENCY"] = str(options.concurrency)
        command = WorkerCommand(
            python=options.python,
            project=options.project,
            ref=options.ref,
            train_ref=options.train_ref,
            mode=options.mode,
            env=env,
            script=options.script,
        )
        runner = Runner(
            RunnerOptions(
                command=command,
                limits=Limits(queue=10_000, slots=options.concurrency),
                schema=options.schema,
                setup_timeout=options.setup_timeout,
                workers=options.workers,
                rule=AddressRule(allow_private=options.allow_private_inputs),
                store=lambda _: _KeepStore(),
                on_log=on_log,
            )
        )
        try:
            await runner.start()
            await runner.predictions.supervisor.settled()
            yield cls(runner)
        finally:
            await runner.close()

    @property
    def schema(self) -> Mapping[str, Any]:
        """The model's OpenAPI document; empty when it has none."""
        return self._runner.predictions.document or {}

    async def predict(
        self, input: Mapping[str, Any], *, id: str | None = None, context: Mapping[str, str] | None = None
    ) -> AsyncIterator[Event]:
        """Run one prediction and yield what happens, `Completed` last. Closing the generator early cancels it.

        File inputs are paths, data URLs or http(s) URLs. Raises InputInvalidError, BusyError or NotReadyError.
        """
        kind = self._runner.predictions
        value = dict(input)
        places = kind.schema.check(value)
        raw = b"" if places else _encode_input(value)
        asked = Asked(
            id=ids.make_id() if id is None else ids.check_id(id),
            value=value,
            input_raw=raw,
            shown_input=b"{}",
            places=places,
            context=dict(context) if context else None,
            hold_folder=True,
        )
        prediction = kind.engine.submit(asked)
        seen = 0
        try:
            while True:
                change = prediction.watch()
                events = prediction.events
                while seen < len(events):
                    name, data = events[seen]
                    seen += 1
                    yield _event(prediction, name, data)
                    if name == model_prediction.COMPLETED:
                        return
                if not change.done():
                    await change
        finally:
            kind.engine.cancel(prediction)
            if not prediction.over:
                await prediction.end()
            kind.engine.release_folder(prediction)

    async def cancel(self, id: str) -> bool:
        """Ask that a prediction stop; False when there is none with this id, or it is over."""
        engine = self._runner.predictions.engine
        try:
            prediction = engine.find(id)
        except UnknownPredictionError:
            return False
        over = prediction.over
        engine.cancel(prediction)
        return not over


class _KeepStore:
    """Leave files where they are: the reader is on this machine."""

    async def store(self, file: OutputFile) -> Any:
        return {FILE_KEY: {"path": str(file.path), "name": file.name}}


def _encode_input(value: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, msgspec.MsgspecError) as exc:
        from cog_server.errors import Problem

        message = f"the input cannot be written as JSON: {exc}"
        raise InputInvalidError([Problem(("body", "input"), message, "type_error")]) from exc


def _event(prediction: Prediction, name: str, data: Any) -> Event:
    if name == model_prediction.OUTPUT:
        return Output(chunk=_value(data[1]), index=data[0])
    if name == model_prediction.LOG:
        return Log(source=data[0], data=data[1])
    if name == model_prediction.METRIC:
        return Metric(name=data.name, value=data.value, mode=data.mode)
    if name == model_prediction.START:
        return Started(id=prediction.id)
    metrics = dict(prediction.metrics)
    if prediction.predict_time is not None:
        metrics["predict_time"] = prediction.predict_time
    return Completed(
        id=prediction.id,
        status=prediction.status,
        output=_value(bytes(prediction.output_raw())),
        error=prediction.error,
        logs=prediction.all_logs(),
        metrics=metrics,
    )


def _value(raw: bytes) -> Any:
    """Return the Python value of an output, with its files as OutputFile."""
    return _with_files(msgspec.json.decode(raw))


def _with_files(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get(FILE_KEY), dict):
            return output_file(value[FILE_KEY])
        return {key: _with_files(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_files(item) for item in value]
    return value
