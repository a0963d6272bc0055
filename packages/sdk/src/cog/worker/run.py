"""The worker's life: load, set up, say READY, serve, tear down."""

from __future__ import annotations

import functools
import inspect
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cog
from cog.errors import CogError, LoadError
from cog.worker import logs, messages
from cog.worker.cancel import Canceler
from cog.worker.channel import Channel, ServerGoneError
from cog.worker.frames import PROTOCOL, FrameError
from cog.worker.load import load
from cog.worker.model import Model, describe_python
from cog.worker.report import flush, print_traceback, setup_message
from cog.worker.tracing import configure
from cog.worker.watch import end_now, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cog.worker.sync_loop import SyncLoop

USAGE = (
    "usage: python -m cog.worker --fd N --ref FILE.py:NAME [--mode predict|train] [--train-ref FILE.py:NAME]"
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Hold the command line."""

    fd: int
    ref: str | None = None
    mode: str = "predict"
    train_ref: str | None = None

    @property
    def active_ref(self) -> str:
        """Return the reference this worker runs."""
        wanted = (self.train_ref, self.ref) if self.mode == "train" else (self.ref,)
        return next(ref for ref in wanted if ref)


def parse(arguments: list[str]) -> Options:
    """Return the options. Raises ValueError. Not argparse: it would be a tenth of the start."""
    said: dict[str, str] = {}
    for name, value in zip(arguments[::2], arguments[1::2], strict=False):
        if name not in {"--fd", "--ref", "--mode", "--train-ref"}:
            raise ValueError(f"unknown argument {name!r}")
        said[name] = value
    mode = said.get("--mode", "predict")
    if mode not in {"predict", "train"}:
        raise ValueError(f"--mode {mode!r} is not one of predict, train")
    named = "--ref" in said or (mode == "train" and "--train-ref" in said)
    if len(arguments) % 2 or not named or not said.get("--fd", "").isdigit():
        raise ValueError("--fd with a number and --ref are needed")
    return Options(fd=int(said["--fd"]), ref=said.get("--ref"), mode=mode, train_ref=said.get("--train-ref"))


def main(arguments: list[str], project: str) -> int:
    """Run the worker and return its exit status."""
    try:
        options = parse(arguments)
    except ValueError as error:
        sys.stderr.write(f"cog.worker: {error}\n{USAGE}\n")
        return 2
    sock = socket.socket(fileno=options.fd)
    sock.set_inheritable(False)
    sock.setblocking(True)
    channel = Channel(sock)
    canceler = Canceler(channel)
    canceler.install()
    watch(channel.fileno())
    _prepare_streams()
    sys.path.insert(0, project)
    # Code that reads its options when it is imported finds none, as if the file had been run by itself.
    sys.argv = [os.path.join(project, options.active_ref.partition(":")[0])]
    try:
        return _serve(options, project, channel, canceler)
    except ServerGoneError:
        end_now()
    except FrameError as error:
        sys.stderr.write(f"cog.worker: the server sent {error}; this worker speaks version {PROTOCOL}\n")
    return 1


def _serve(options: Options, project: str, channel: Channel, canceler: Canceler) -> int:
    try:
        end_tracing = configure(project)
        model = _load(options, project)
        setup = _setup(model)
    except BaseException as error:  # noqa: BLE001 - the author's code: a sys.exit() at import is a failed setup as well
        return fail_setup(channel, error)

    def ready() -> bytes:
        return _ready(model, options, project)

    if model.is_async:
        status = _serve_async(model, channel, setup, ready)
        _end(end_tracing)
        return status
    if setup is not None:
        return fail_setup(channel, LoadError("an async setup() needs an async predict() or run()"))
    flush()
    loop = _loop(model, channel, canceler)
    channel.send(ready())
    loop.run()
    _tear_down(model)
    _end(end_tracing)
    return 0


def _loop(model: Model, channel: Channel, canceler: Canceler) -> SyncLoop:
    if model.batch is None:
        from cog.worker.sync_loop import SyncLoop

        return SyncLoop(model, channel, canceler)
    from cog.worker.batch_loop import BatchLoop

    return BatchLoop(model, channel)


def _serve_async(
    model: Model, channel: Channel, setup: Callable[[], Any] | None, ready: Callable[[], bytes]
) -> int:
    from cog.worker.async_loop import SetupError, serve
    from cog.worker.precise import run

    try:
        run(serve(model, channel.socket, setup, ready))
    except SetupError as error:
        return fail_setup(channel, error.__cause__ or error)
    return 0


def fail_setup(channel: Channel, error: BaseException) -> int:
    """Say that setup failed; return the exit status."""
    if isinstance(error, CogError):
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    else:
        print_traceback(error)
    flush()
    channel.send(messages.setup_failed(setup_message(error)))
    return 1


def _load(options: Options, project: str) -> Model:
    # Whether the model is async shows only when it is loaded, but loggers made at import keep the stream they find.
    own = logs.install()
    model = Model(load(options.active_ref, project), train=options.mode == "train")
    if not model.is_async:
        logs.uninstall(own)
    return model


def _setup(model: Model) -> Callable[[], Any] | None:
    """Run setup() when it is a plain function; return it with its arguments when it is async, else None."""
    setup, arguments = model.setup()
    if setup is None:
        return None
    call = functools.partial(setup, **arguments)
    if inspect.iscoroutinefunction(setup):
        return call
    call()
    return None


def _ready(model: Model, options: Options, project: str) -> bytes:
    schema, schema_error = model.document(options.train_ref if options.mode == "predict" else None, project)
    return messages.ready(
        sdk=cog.__version__,
        python=describe_python(),
        is_async=model.is_async,
        concurrency=model.concurrency,
        streaming=model.streaming,
        iterator=model.iterator,
        healthcheck=model.healthcheck is not None,
        schema=schema,
        schema_error=schema_error,
        batch=model.batch,
    )


def _tear_down(model: Model) -> None:
    if model.teardown is None:
        return
    try:
        result = model.teardown()
        if inspect.iscoroutine(result):
            import asyncio

            asyncio.run(result)
    except BaseException as error:  # noqa: BLE001 - the author's code; the worker ends in any case
        print_traceback(error)
    flush()


def _end(hook: Callable[[], Any] | None) -> None:
    """Let the author's tracing send what it holds."""
    if hook is None:
        return
    try:
        hook()
    except Exception as error:  # noqa: BLE001 - the author's code; the worker ends in any case
        print_traceback(error)
    flush()


def _prepare_streams() -> None:
    """Make lines appear in the logs as they are printed, whatever the locale and the text."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
