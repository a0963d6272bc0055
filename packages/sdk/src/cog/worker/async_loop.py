"""The loop of an async predictor: up to `concurrency` predictions on one event loop, on the main thread."""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

from cog.errors import CogError, InputError
from cog.metrics import Metrics
from cog.scope import Scope, enter
from cog.worker import frames, messages
from cog.worker.handover import hand_over
from cog.worker.logs import attribute
from cog.worker.model import Model
from cog.worker.report import flush, message, print_traceback
from cog.worker.tracing import join
from cog.worker.transport import FrameProtocol
from cog.worker.watch import end_now

#: Seconds an async healthcheck() may take.
HEALTH_TIMEOUT = 5.0


class AsyncLoop:
    """Runs predictions of one model until the server says SHUTDOWN or goes away."""

    def __init__(self, model: Model) -> None:
        """Prepare; for use on a running loop only."""
        self._model = model
        self._protocol = FrameProtocol(self._take, self._end)
        self._loop = asyncio.get_running_loop()
        self._main = threading.get_ident()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._canceled: set[int] = set()
        self._begun: set[int] = set()
        self._checks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[None] = self._loop.create_future()

    async def run(self, sock: socket.socket, ready: bytes) -> None:
        """Say READY, serve frames until the end, and let what runs finish. Raises FrameError."""
        await self._protocol.take(sock)
        self._protocol.send(ready)
        await self._over
        while self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))
        self._protocol.flush()

    def _take(self, frame: frames.Frame) -> None:
        """Act on one frame. After SHUTDOWN cancels are still heard."""
        kind, tag, payload = frame
        if kind == frames.PREDICT:
            self._tasks[tag] = self._loop.create_task(self._predict(tag, payload))
        elif kind == frames.CANCEL:
            self._cancel(tag)
        elif kind == frames.HEALTHCHECK:
            check = self._loop.create_task(self._health())
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)
        elif kind == frames.SHUTDOWN:
            if not self._over.done():
                self._over.set_result(None)
        else:
            raise frames.FrameError(f"a frame of unknown kind {kind:#04x}")

    def _end(self, error: frames.FrameError | None) -> None:
        """Act on the end of the stream: with nothing running it is a quiet end, else the server is gone."""
        if self._tasks and error is None:
            end_now()
        if self._over.done():
            return
        if error is not None:
            self._over.set_exception(error)
        else:
            self._over.set_result(None)

    def _cancel(self, tag: int) -> None:
        task = self._tasks.get(tag)
        if task is not None and tag not in self._canceled:
            self._canceled.add(tag)
            # A task canceled before its first step never runs at all, so it could not even answer: it looks itself.
            if tag in self._begun:
                task.cancel()

    async def _predict(self, tag: int, payload: bytes) -> None:
        """Run one prediction and send its terminal frame. Nothing the author does gets out of here."""
        try:
            request = messages.read_request(payload)
        except InputError as error:
            self._answer(tag, messages.failed(tag, message(error), 0.0))
            return
        scope = Scope(
            Metrics(self._listener(tag)), request.get("context"), request["dir"], request.get("trace")
        )
        enter(scope)
        if scope.trace:
            join(scope.trace)  # the task has a context of its own, which ends with it
        text = attribute(tag, self._send)
        arguments: dict[str, Any] = {}
        started = perf_counter()
        self._begun.add(tag)
        try:
            self._check(tag)
            arguments = self._model.arguments(request["input"])
            started = perf_counter()
            output, flags = await self._call(tag, arguments, request["dir"])
            answer = frames.encode_succeeded(tag, perf_counter() - started, flags, output)
        except asyncio.CancelledError as error:
            answer = messages.canceled(tag, perf_counter() - started)
            if tag not in self._canceled:  # the author's own code gave up on one of its tasks
                answer = self._failed(tag, error, started)
        except (CogError, frames.FrameError) as error:
            answer = messages.failed(tag, message(error), perf_counter() - started)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in predict() must not take the model down
            answer = self._failed(tag, error, started)
        if tag in self._canceled:
            answer = messages.canceled(tag, perf_counter() - started)
        self._model.release(arguments)
        text.close()
        flush()
        self._answer(tag, answer)

    def _answer(self, tag: int, frame: bytes) -> None:
        self._begun.discard(tag)
        self._canceled.discard(tag)
        del self._tasks[tag]
        self._protocol.answer(frame)

    def _check(self, tag: int) -> None:
        """Raise CancelledError when the cancel came before the first step."""
        if tag in self._canceled:
            raise asyncio.CancelledError

    async def _call(self, tag: int, arguments: dict[str, Any], folder: str) -> tuple[bytes, int]:
        model = self._model
        result = model.function(**arguments)
        if inspect.isawaitable(result):
            result = await result
        if not model.iterator:
            if hasattr(result, "__aiter__"):
                result = [piece async for piece in result]
            return model.encoder.encode(result, folder)
        protocol, first = self._protocol, True
        if hasattr(result, "__aiter__"):
            pieces = result.__aiter__()
            try:
                async for piece in pieces:
                    self._send_piece(tag, piece, folder, first=first)
                    first = False
                    if protocol.full:
                        await protocol.drained()
            finally:
                if hasattr(pieces, "aclose"):
                    await pieces.aclose()
        else:
            for piece in result:
                self._send_piece(tag, piece, folder, first=first)
                first = False
                if protocol.full:
                    await protocol.drained()
        return b"", 0

    def _send_piece(self, tag: int, piece: Any, folder: str, *, first: bool) -> None:
        output, flags = self._model.encoder.encode(piece, folder, keep=True)
        self._protocol.send(frames.encode_output(tag, flags, output))
        if first:
            hand_over()

    def _send(self, frame: bytes) -> None:
        """Send from any thread."""
        if threading.get_ident() == self._main:
            self._protocol.send(frame)
        else:
            self._loop.call_soon_threadsafe(self._protocol.send, frame)

    def _listener(self, tag: int) -> Callable[[str, Any, str], None]:
        return lambda name, value, mode: self._send(messages.metric(tag, name, value, mode))

    def _failed(self, tag: int, error: BaseException, started: float) -> bytes:
        elapsed = perf_counter() - started
        print_traceback(error)
        return messages.failed(tag, message(error), elapsed)

    async def _health(self) -> None:
        check = self._model.healthcheck
        if check is None:
            self._protocol.send(messages.health(True, None))
            return
        try:
            good = check()
            if inspect.isawaitable(good):
                good = await asyncio.wait_for(good, HEALTH_TIMEOUT)
            answer = messages.health(*messages.judge(good))
        except asyncio.TimeoutError:
            answer = messages.health(False, f"healthcheck() took longer than {HEALTH_TIMEOUT} seconds")
        except Exception as error:  # noqa: BLE001 - the author's own check
            print_traceback(error)
            answer = messages.health(False, message(error))
        self._protocol.send(answer)


async def serve(
    model: Model, sock: socket.socket, setup: Callable[[], Any] | None, ready: Callable[[], bytes]
) -> None:
    """Set up on this loop, say READY, serve, tear down.

    `setup` is an async one that has not been called, or None; it shares its loop with the predictions. What it raises
    goes through, as SetupError's cause.
    """
    if setup is not None:
        try:
            await setup()
        except BaseException as error:
            raise SetupError from error
    flush()
    await _loop(model).run(sock, ready())
    if model.teardown is not None:
        try:
            result = model.teardown()
            if inspect.isawaitable(result):
                await result
        except BaseException as error:  # noqa: BLE001 - the author's code; the worker ends in any case
            print_traceback(error)
        flush()


def _loop(model: Model) -> AsyncLoop:
    if model.batch is None:
        return AsyncLoop(model)
    from cog.worker.async_batch import AsyncBatchLoop

    return AsyncBatchLoop(model)


class SetupError(Exception):
    """An async setup() raised; the author's error is the cause."""
