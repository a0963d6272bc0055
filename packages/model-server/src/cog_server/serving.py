"""Serve one model over HTTP until a signal comes.

Theory of operation: `serve()` starts the worker before it imports anything that is slow to import (the HTTP server,
the JSON library): the model's process and ours then load at the same time. Nothing at the top of this module may
import more than the standard library's light parts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cog_server.early import Early, EndedEarlyError, ended_early
from cog_server.errors import ServerError, StartError
from cog_server.expected import Expected, all_ready, arrive
from cog_server.workers.devices import commands
from cog_server.workers.process import WorkerCommand, WorkerProcess, spawn

if TYPE_CHECKING:
    import asyncio

    from cog_server.origin import TraceHeader
    from cog_server.runner import Runner
    from cog_server.tracing import Tracer

_BACKLOG = 2048
_REAP_SECONDS = 2.0
_CLOSE_SECONDS = 10
_HURRIED_SECONDS = 5.0
"""Seconds that the last webhooks may take where somebody waits for the end."""


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """What to serve, where, and within which limits (spec/model-http.md, "Settings")."""

    python: Path = Path("python3")
    project: Path = field(default_factory=Path.cwd)
    ref: str | None = None
    train_ref: str | None = None
    mode: str = "predict"
    host: str = "0.0.0.0"  # noqa: S104 - a container's server is reached from outside; `cog serve` says 127.0.0.1
    port: int = 5000
    uds: Path | None = None
    schema: Path | None = None
    concurrency: int | None = None
    queue: int = 100
    strict_capacity: bool = False
    upload_url: str | None = None
    workers: int = 1
    gpus: int | None = None
    """GPUs to share out among the workers; None lets each see all."""
    setup_timeout: float | None = None
    predict_timeout: float | None = None
    token: str | None = None
    webhook_interval: float = 0.5
    log_level: str | None = None
    """From which level on the server's own log is told, a name of `logs.LEVELS`; None leaves logging as it is."""
    log_format: str = "console"
    trace: bool = False
    trace_header: TraceHeader | None = None
    ready_file: Path | None = None
    cancel_grace: float = 5.0
    await_explicit_shutdown: bool = False
    exit_on_stdin_close: bool = False
    allow_private_inputs: bool = False
    input_hosts: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    on_listening: Callable[[str], None] | None = None
    """Told once, with the address, when connections are accepted."""
    on_runner: Callable[[Runner], None] | None = None
    """Told once, inside the event loop, when the runner has started."""
    weights: tuple[Expected, ...] = ()
    """What must be there before the model starts."""
    script: Path | None = None
    """A stand-in for the worker, for tests."""

    def command(self) -> WorkerCommand:
        """Return how the worker is started."""
        env = dict(self.env)
        if self.concurrency is not None:
            env["COG_MAX_CONCURRENCY"] = str(self.concurrency)
        return WorkerCommand(
            python=self.python,
            project=self.project,
            ref=self.ref,
            train_ref=self.train_ref,
            mode=self.mode,
            env=env,
            script=self.script,
        )


def serve(options: ServerOptions) -> int:
    """Serve until a signal, POST /shutdown or the end of stdin; return the exit status.

    Raises StartError when it cannot start (the address is taken, a file is missing).
    """
    if not options.project.is_dir():
        raise StartError(
            f"there is no project folder {str(options.project)!r}", hint="Set --project or COG_PROJECT."
        )
    listener = _listen(options)
    process: WorkerProcess | None = None
    try:
        with ended_early() as early:
            # A Python that cannot be started is told by /health-check, like any other failed setup.
            with contextlib.suppress(OSError):
                if all_ready(options.weights):
                    process = spawn(commands(options.command(), options.workers, options.gpus)[0])
            return _run(options, listener, process, early)
    except BaseException as exc:
        if process is not None:
            process.kill()
        if isinstance(exc, EndedEarlyError):
            return 0
        raise
    finally:
        listener.close()
        if options.uds is not None:
            options.uds.unlink(missing_ok=True)


def _run(options: ServerOptions, listener: socket.socket, process: WorkerProcess | None, early: Early) -> int:
    import uvloop

    loop = uvloop.new_event_loop()
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_serve(options, listener, process, early))
    finally:
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


def _listen(options: ServerOptions) -> socket.socket:
    """Take the address first: a port in use is told before a model is loaded for nothing."""
    if options.uds is not None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            options.uds.unlink()
        where, address = str(options.uds), str(options.uds)
        mask = os.umask(0o177)
        try:
            _bind(sock, address, where)
        finally:
            os.umask(mask)
    else:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(sock, (options.host, options.port), f"{options.host}:{options.port}")
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock


def _bind(sock: socket.socket, address: Any, where: str) -> None:
    try:
        sock.bind(address)
    except OSError as exc:
        sock.close()
        hint = "Choose another with --port, or stop what is using it."
        raise StartError(f"{where} cannot be listened on: {exc.strerror or exc}", hint=hint) from exc


def address_of(sock: socket.socket) -> str:
    """Return where a listening socket is reached, as a URL or a path."""
    name = sock.getsockname()
    if isinstance(name, str):
        return name
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"


async def _serve(
    options: ServerOptions, listener: socket.socket, process: WorkerProcess | None, early: Early
) -> int:
    import asyncio

    from cog_server import logs
    from cog_server.app import MAX_BODY, App
    from cog_server.echo import Echo
    from cog_server.front.server import FrontServer
    from cog_server.ready_file import ReadyFile, chosen
    from cog_server.runner import Runner

    if options.log_level is not None:
        logs.set_up(options.log_level, options.log_format)
    echo = Echo(as_json=options.log_format == "json")
    found = chosen(options.ready_file, os.environ)
    ready_file = None if found is None else ReadyFile(found)
    runner = Runner(_runner_options(options, echo, None if ready_file is None else ready_file.show))
    ending = _Ending(options, runner)
    app = App(runner, shutdown=ending.drain, token=options.token, trace_header=options.trace_header)
    server = FrontServer(app, max_body=MAX_BODY)
    try:
        ending.listen_to_signals()
        await runner.start(process)
        if early.came:
            ending.hurry()
        reaper = asyncio.get_running_loop().create_task(_reap(runner)) if os.getpid() == 1 else None
        await server.start(listener)
        _settle_garbage()
        if options.on_runner is not None:
            options.on_runner(runner)
        if options.on_listening is not None:
            options.on_listening(address_of(listener))
        await ending.task
        await server.close(_CLOSE_SECONDS)
        if reaper is not None:
            reaper.cancel()
    finally:
        ending.forget_signals()
        if ready_file is not None:
            ready_file.show(False)
        await (runner.close(_HURRIED_SECONDS) if ending.hurried else runner.close())
        echo.close()
    return 0


def _runner_options(
    options: ServerOptions, on_log: Callable[[str, str], None], on_ready: Callable[[bool], None] | None
) -> Any:
    from cog_server.asked import Limits
    from cog_server.inputs.addresses import AddressRule
    from cog_server.runner import RunnerOptions

    limits = Limits(
        queue=0 if options.strict_capacity else options.queue,
        strict=options.strict_capacity,
        slots=options.concurrency,
        cancel_grace=options.cancel_grace,
        predict_timeout=options.predict_timeout,
    )
    return RunnerOptions(
        command=options.command(),
        limits=limits,
        schema_file=options.schema,
        workers=options.workers,
        gpus=options.gpus,
        setup_timeout=options.setup_timeout,
        upload_url=options.upload_url,
        webhook_interval=options.webhook_interval,
        tracer=_tracer() if options.trace else None,
        rule=AddressRule.parse(options.input_hosts, allow_private=options.allow_private_inputs),
        on_log=on_log,
        on_prediction_log=on_log,
        on_ready=on_ready,
        before=partial(arrive, options.weights) if options.weights else None,
    )


def _tracer() -> Tracer | None:
    from cog_server.tracing import otel

    return otel.make(os.environ)


def _settle_garbage() -> None:
    """Leave what was loaded at the start out of garbage collection, and collect less often than Python's default."""
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


class _Ending:
    """Decide when the server ends: drained after SIGTERM, POST /shutdown or the end of stdin, sooner after a second."""

    def __init__(self, options: ServerOptions, runner: Runner) -> None:
        import asyncio

        self._options = options
        self._runner = runner
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None
        self.task: asyncio.Task[bool] = self._loop.create_task(self._done.wait())
        self._stdin_watched = False
        self.hurried = False
        """Whether nobody wants to wait: Ctrl-C, a second SIGTERM, the end of stdin."""

    def listen_to_signals(self) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, self._terminated)
        self._loop.add_signal_handler(signal.SIGINT, self.hurry)
        if self._options.exit_on_stdin_close:
            self._stdin_watched = True
            os.set_blocking(0, False)
            try:
                self._loop.add_reader(0, self._stdin)
            except OSError:  # a plain file or /dev/null cannot be watched, and never was a parent
                self._stdin_watched = False

    def forget_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)
        if self._stdin_watched:
            self._loop.remove_reader(0)
        self.task.cancel()

    def drain(self) -> None:
        """Take nothing new, finish what there is, end."""
        if self._draining is None:
            self._draining = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        await self._runner.drain()
        self._done.set()

    def _terminated(self) -> None:
        if self._draining is not None:
            self.hurried = True
            self._runner.cancel_all()
        elif not self._options.await_explicit_shutdown:
            self.drain()

    def hurry(self) -> None:
        """End soon, as after Ctrl-C: someone waits at the keyboard, so what runs is canceled."""
        self.hurried = True
        self._runner.cancel_all()
        if self._draining is not None:
            self._done.set()
        self.drain()

    def _stdin(self) -> None:
        try:
            data = os.read(0, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(0)
            self._stdin_watched = False
            # The parent is gone: nobody reads the answers any more.
            self.hurried = True
            self._runner.cancel_all()
            self.drain()


async def _reap(runner: Runner) -> None:
    """As process 1, take in the exit status of orphans; our own workers are waited for by their threads."""
    import asyncio

    while True:
        await asyncio.sleep(_REAP_SECONDS)
        reap_orphans(runner.worker_pids())


def reap_orphans(ours: set[int]) -> list[int]:
    """Take in every ended child that is not one of `ours`; return their numbers."""
    reaped: list[int] = []
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in (int(word) for word in task.read_text().split()):
                if pid not in ours:
                    with contextlib.suppress(ChildProcessError):
                        if os.waitpid(pid, os.WNOHANG)[0]:
                            reaped.append(pid)
    return reaped


def explain(exc: ServerError) -> str:
    """Return the lines that a person at a terminal reads."""
    return f"Error: {exc.message}" + (f"\n{exc.hint}" if exc.hint else "")
