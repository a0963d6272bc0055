"""Keep one worker running: its setup, its health, its restarts.

Theory of operation: the supervisor hears everything from the worker. Setup it handles itself; what concerns
predictions it passes to the engine. When a worker dies the engine first ends what ran on it, then a new one is started
after a delay that `health.restart_delay` decides. A model whose first setup fails is not tried again (SETUP_FAILED, as
Cog); one whose restarts keep failing is DEFUNCT.
"""

from __future__ import annotations

import asyncio
import codecs
import errno
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from cog_server import frames
from cog_server.errors import ProtocolError, SetupFailedError
from cog_server.workers import messages
from cog_server.workers.exits import Exit
from cog_server.workers.health import RESTARTS, STABLE_SECONDS, Health, restart_delay
from cog_server.workers.process import WorkerCommand, WorkerProcess, spawn
from cog_server.workers.setup import Setup
from cog_server.workers.worker import Worker

log = logging.getLogger("cog_server")
HEALTHCHECK_SECONDS = 5.0
INTERRUPT_AGAIN_SECONDS = 0.05
"""After so long a canceled prediction that still runs gets a second signal; after twice as long each other."""
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
"""Errors of starting a process that say what the machine has too little of at the moment."""
SHUTDOWN_SECONDS = 5.0
OnLog = Callable[[str, str], None]
Before = Callable[[Callable[[str], None]], Awaitable["str | None"]]
"""Waits for what a model needs, told by its words; returns why it will not come."""


class Predictions(Protocol):
    """What the supervisor tells the engine."""

    def worker_ready(self, ready: messages.Ready) -> None:
        """Learn that predictions may be sent."""

    def worker_frame(self, kind: int, tag: int, payload: bytes) -> None:
        """Take a frame about a prediction."""

    def worker_outputs(self, tag: int, payloads: list[bytes]) -> None:
        """Take what one prediction put out since the last read: payloads of OUTPUT frames, in order."""

    def worker_text(self, source: str, text: str) -> None:
        """Take text that was written after setup."""

    def worker_gone(self, why: str, signal: int | None) -> None:
        """Learn that the worker died; whatever ran on it is over."""

    def worker_lost(self, why: str) -> None:
        """Learn that there will be no worker any more."""


class Supervisor:
    """One worker, kept alive."""

    def __init__(
        self,
        command: WorkerCommand,
        predictions: Predictions,
        *,
        setup_timeout: float | None = None,
        on_log: OnLog | None = None,
        before: Before | None = None,
    ) -> None:
        """`before` is waited for before a worker is spawned; it returns why none can be, or None."""
        self._before = before
        self.command = command
        self.health = Health.UNKNOWN
        self.setup = Setup()
        self.ready: messages.Ready | None = None
        self.failure: str | None = None
        self.restarts = 0
        self.pid: int | None = None
        self._predictions = predictions
        self._setup_timeout = setup_timeout
        self._on_log = on_log
        self._worker: Worker | None = None
        self._ready_at = 0.0
        self._failed_starts = 0
        self._crashes = 0
        self._ever_ready = False
        self._setup_timer: asyncio.TimerHandle | None = None
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}
        self._closing = False
        self._restarting: str | None = None
        self._gone = asyncio.Event()
        self._settled = asyncio.Event()
        self._health_answers: list[asyncio.Future[messages.Health]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, process: WorkerProcess | None = None) -> None:
        """Take a worker that was spawned before, or spawn one."""
        self.health = Health.STARTING
        self.setup = Setup()
        self._gone.clear()
        self._settled.clear()
        utf8 = codecs.getincrementaldecoder("utf-8")
        self._decoders = {source: utf8("replace") for source in ("stdout", "stderr")}
        if process is None and self._before is not None:
            self._gone.set()
            self._task(self._after(self._before))
            return
        await self._start(process)

    async def _after(self, before: Before) -> None:
        """Start the worker once what it needs is there."""
        why = await before(lambda text: self.text_received("stderr", text.encode()))
        if self._closing:
            return
        if why is not None:
            self._before_failed(why)
            return
        self._gone.clear()
        await self._start(None)

    def _before_failed(self, why: str) -> None:
        # Whoever delivers it may do so later, but nobody would tell us: as with a setup that fails, that is the end.
        self.setup.text(f"{why}\n")
        self._start_failed(why)

    async def _start(self, process: WorkerProcess | None) -> None:
        try:
            process = process or spawn(self.command)
        except OSError as exc:
            self._gone.set()
            if exc.errno in _SCARCE:
                # The machine's trouble, not the model's, and it may pass: no reason to give the model up.
                self._failed_starts = min(self._failed_starts, len(RESTARTS) - 2)
            self._start_failed(
                f"The model's Python {str(self.command.python)!r} cannot be started: {exc.strerror}."
            )
            return
        self.pid = process.popen.pid
        self.setup.started_at = process.started_at
        self._worker = await Worker.attach(process, self)
        if self._setup_timeout is not None:
            loop = asyncio.get_running_loop()
            self._setup_timer = loop.call_later(self._setup_timeout, self._setup_took_too_long)

    async def settled(self) -> messages.Ready:
        """Wait for the end of setup. Raises SetupFailedError, with the logs, when it failed."""
        await self._settled.wait()
        if self.ready is None:
            raise SetupFailedError(self.failure or "setup() failed", logs=self.setup.logs)
        return self.ready

    def send(self, kind: int, tag: int, payload: bytes = b"") -> None:
        """Send a frame to the worker."""
        if self._worker is not None:
            self._worker.send(kind, tag, payload)

    def cancel(self, tag: int, runs: Callable[[], bool]) -> None:
        """Ask the worker to stop one prediction, again and again while it `runs`."""
        if self._worker is not None and self.ready is not None:
            self._worker.send(frames.CANCEL, tag)
            if not self.ready.is_async:
                self._interrupt(self._worker, runs, INTERRUPT_AGAIN_SECONDS)

    def _interrupt(self, worker: Worker, runs: Callable[[], bool], again: float) -> None:
        """Signal a sync worker. One signal can be lost: it may come just before the code begins to wait in C."""
        if self._worker is worker and runs():
            worker.interrupt()
            asyncio.get_running_loop().call_later(again, self._interrupt, worker, runs, 2 * again)

    def kill(self, reason: str) -> None:
        """Kill the worker; a new one follows."""
        if self._worker is not None:
            log.warning("worker killed reason=%r", reason)
            self._worker.kill(reason)

    def restart(self, reason: str) -> None:
        """Put a new worker in the place of this one, or of one that was given up; what runs on it is over.

        Its code has changed, so what it did before does not count, and a setup that fails is not tried again.
        """
        if self._closing:
            return
        self._crashes = self._failed_starts = 0
        self._ever_ready = False
        self.restarts += 1
        if self._worker is not None:
            self._restarting = reason
            self._worker.kill(reason)
            return
        for task in self._tasks:
            task.cancel()  # a restart that waits for its time
        self._begin()

    def drain(self) -> None:
        """Take in all text that the worker has written."""
        if self._worker is not None:
            self._worker.drain()

    async def healthcheck(self) -> messages.Health:
        """Ask the model's own healthcheck, for at most five seconds."""
        answer: asyncio.Future[messages.Health] = asyncio.get_running_loop().create_future()
        self._health_answers.append(answer)
        self.send(frames.HEALTHCHECK, 0)
        try:
            return await asyncio.wait_for(answer, HEALTHCHECK_SECONDS)
        except asyncio.TimeoutError:
            return messages.Health(
                ok=False, error=f"healthcheck timed out after {HEALTHCHECK_SECONDS} seconds"
            )
        finally:
            if answer in self._health_answers:
                self._health_answers.remove(answer)

    async def close(self, grace: float = SHUTDOWN_SECONDS) -> None:
        """Let the worker end in peace, then kill it."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        worker = self._worker
        if worker is None:
            return
        if self.ready is not None:
            self.send(frames.SHUTDOWN, 0)
            try:
                await asyncio.wait_for(self._gone.wait(), grace)
            except asyncio.TimeoutError:
                log.warning("worker killed reason='it did not end within %.1f s of the shutdown'", grace)
        worker.kill("the server is shutting down")
        await self._gone.wait()
        # uvloop closes a transport's socket some turns of the loop after the transport itself.
        await asyncio.sleep(0.01)

    # What the worker says.

    def frames_received(self, received: list[frames.Frame]) -> None:
        """Take frames, in order."""
        outputs: list[bytes] = []
        last = 0
        for kind, tag, payload in received:
            if outputs and (kind != frames.OUTPUT or tag != last):
                self._predictions.worker_outputs(last, outputs)
                outputs = []
            if kind == frames.OUTPUT and tag:
                outputs.append(payload)
                last = tag
            elif tag:
                self._predictions.worker_frame(kind, tag, payload)
            elif kind == frames.READY:
                self._became_ready(messages.decode(messages.Ready, payload))
            elif kind == frames.SETUP_FAILED:
                self.failure = messages.decode(messages.SetupFailed, payload).error
            elif kind == frames.HEALTH:
                answer: messages.Health = messages.decode(messages.Health, payload)
                for waiting in self._health_answers:
                    if not waiting.done():
                        waiting.set_result(answer)
                self._health_answers.clear()
            else:
                raise ProtocolError(f"a frame of kind 0x{kind:02x} must name a prediction")
        if outputs:
            self._predictions.worker_outputs(last, outputs)

    def text_received(self, source: str, data: bytes) -> None:
        """Take text: setup's until the worker is ready, then the predictions'."""
        text = self._decoders[source].decode(data)
        if not text:
            return
        if self.ready is None:
            self.setup.text(text)
            if self._on_log is not None:
                self._on_log(source, text)
        else:
            self._predictions.worker_text(source, text)

    def exited(self, how: Exit) -> None:
        """Learn how the worker ended, and start another when that makes sense."""
        was_ready, self.ready = self.ready, None
        self._worker = self.pid = None
        self._gone.set()
        self._cancel_setup_timer()
        for waiting in self._health_answers:
            if not waiting.done():
                waiting.set_result(messages.Health(ok=False, error=how.describe()))
        reason, self._restarting = self._restarting, None
        if reason is not None and not self._closing:
            self.health = Health.STARTING
            if was_ready is not None:
                self._predictions.worker_gone(reason, None)
            self._begin()
            return
        if was_ready is None:
            self.setup.signal = how.signal
            self._start_failed(self.failure or how.describe())
            return
        lived = time.monotonic() - self._ready_at
        self._crashes = self._crashes + 1 if lived < STABLE_SECONDS else 1
        if self._closing:
            self._predictions.worker_gone("The server is shutting down.", None)
            return
        self.health = Health.STARTING
        log.warning("worker died pid=%s cause=%r", how.status, how.describe())
        self._predictions.worker_gone(how.describe(), how.signal)
        self._again()

    def _became_ready(self, ready: messages.Ready) -> None:
        if ready.protocol != frames.PROTOCOL:
            raise ProtocolError(
                f"the worker speaks protocol {ready.protocol}, this server {frames.PROTOCOL}: "
                "rebuild the image so that its SDK and its model server are of one release"
            )
        # Everything setup() printed is in the pipes by now.
        self.drain()
        self._cancel_setup_timer()
        self.ready = ready
        self._ready_at = time.monotonic()
        self._failed_starts = 0
        self._ever_ready = True
        self.failure = None
        self.setup.done("succeeded")
        self.health = Health.READY
        self._settled.set()
        self._predictions.worker_ready(ready)

    def _setup_took_too_long(self) -> None:
        if self._worker is not None:
            self.failure = f"setup() took longer than the {self._setup_timeout:g} seconds it may take."
            self._worker.kill("its setup() took too long")

    def _cancel_setup_timer(self) -> None:
        if self._setup_timer is not None:
            self._setup_timer.cancel()
            self._setup_timer = None

    def _start_failed(self, why: str) -> None:
        self.failure = why
        self.setup.done("failed", why)
        self._failed_starts += 1
        if self._closing:
            self._settled.set()
            return
        log.error("setup failed reason=%r", why)
        if self._ever_ready:
            self._again()
        else:
            self._give_up(Health.SETUP_FAILED, why)

    def _give_up(self, health: Health, why: str) -> None:
        self.health = health
        self._settled.set()
        self._predictions.worker_lost(why)

    def _again(self) -> None:
        delay = restart_delay(failed_starts=self._failed_starts, crashes=self._crashes)
        if delay is None:
            self._give_up(Health.DEFUNCT, self.failure or "The model's process keeps dying.")
            return
        self.health = Health.STARTING
        self.restarts += 1
        self._task(self._later(delay))

    def _begin(self) -> None:
        self._task(self.start())

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, delay: float) -> None:
        await asyncio.sleep(delay)
        if not self._closing:
            await self.start()
