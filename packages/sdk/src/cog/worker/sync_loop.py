"""The loop of a sync predictor: on the main thread, one prediction at a time, one read and one write for each."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import Any

from cog.errors import CancelationException, CogError, InputError
from cog.metrics import Metrics
from cog.scope import Scope, sole
from cog.worker import frames, messages
from cog.worker.cancel import Canceler
from cog.worker.channel import Channel
from cog.worker.handover import hand_over
from cog.worker.model import Model
from cog.worker.report import flush, message, print_traceback
from cog.worker.tracing import join


class SyncLoop:
    """Runs predictions of one model until the server says SHUTDOWN or goes away."""

    def __init__(self, model: Model, channel: Channel, canceler: Canceler) -> None:
        self._model = model
        self._channel = channel
        self._canceler = canceler
        self._main = threading.get_ident()

    def run(self) -> None:
        """Serve frames until the end."""
        channel = self._channel
        while (frame := channel.receive()) is not None:
            kind, tag, payload = frame
            if kind == frames.PREDICT:
                channel.send(self._predict(tag, payload))
            elif kind == frames.HEALTHCHECK:
                channel.send(messages.health(*self._health()))
            elif kind == frames.SHUTDOWN:
                return
            elif kind != frames.CANCEL:  # a CANCEL here is for a prediction that has ended
                raise frames.FrameError(f"a frame of unknown kind {kind:#04x}")

    def _predict(self, tag: int, payload: bytes) -> bytes:
        """Run one prediction and return its terminal frame. Nothing the author does gets out of here."""
        canceler = self._canceler
        try:
            request = messages.read_request(payload)
        except InputError as error:
            return messages.failed(tag, message(error), 0.0)
        canceler.begin(tag)
        scope = Scope(
            Metrics(self._listener(tag)), request.get("context"), request["dir"], request.get("trace")
        )
        sole.scope = scope
        leave = join(scope.trace) if scope.trace else None
        arguments: dict[str, Any] = {}
        started = perf_counter()
        try:
            arguments = self._model.arguments(request["input"])
            started = perf_counter()
            if self._model.iterator:
                self._iterate(tag, arguments, request["dir"])
                output, flags = b"", 0
            else:
                output, flags = self._call(arguments, request["dir"])
            answer = frames.encode_succeeded(tag, perf_counter() - started, flags, output)
        except CancelationException as error:
            if canceler.canceled:
                answer = messages.canceled(tag, perf_counter() - started)
            else:
                answer = self._failed(tag, error, started)
        except (CogError, frames.FrameError) as error:
            answer = messages.failed(tag, message(error), perf_counter() - started)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in predict() must not take the model down
            answer = self._failed(tag, error, started)
        finally:
            canceler.armed = False
            sole.scope = None
            if leave is not None:
                leave()
            self._model.release(arguments)
        if canceler.canceled:  # the author's code swallowed it
            answer = messages.canceled(tag, perf_counter() - started)
        flush()
        return answer

    def _call(self, arguments: dict[str, Any], folder: str) -> tuple[bytes, int]:
        canceler = self._canceler
        try:
            canceler.arm()
            output = self._model.function(**arguments)
        finally:
            canceler.armed = False
        return self._model.encoder.encode(output, folder)

    def _iterate(self, tag: int, arguments: dict[str, Any], folder: str) -> None:
        """Send every piece as it is yielded. The author's code is interrupted only while it runs."""
        canceler, encode, send = self._canceler, self._model.encoder.encode, self._channel.send
        pieces: Any = None
        first = True
        try:
            canceler.arm()
            pieces = iter(self._model.function(**arguments))
            advance = pieces.__next__
            inbox = self._channel.inbox
            while True:
                canceler.armed = not canceler.canceled
                if canceler.signalled or inbox:
                    canceler.arm()
                piece = advance()
                canceler.armed = False
                output, flags = encode(piece, folder, keep=True)
                send(frames.encode_output(tag, flags, output))
                if first:
                    first = False
                    hand_over()
        except StopIteration:
            return
        except CancelationException as error:
            _finish(pieces, error)
            raise
        finally:
            canceler.armed = False
            if hasattr(pieces, "close"):
                pieces.close()

    def _listener(self, tag: int) -> Any:
        def tell(name: str, value: Any, mode: str) -> None:
            frame = messages.metric(tag, name, value, mode)
            if threading.get_ident() != self._main:
                self._channel.send(frame)
                return
            with self._canceler.shielded():
                self._channel.send(frame)

        return tell

    def _failed(self, tag: int, error: BaseException, started: float) -> bytes:
        elapsed = perf_counter() - started
        print_traceback(error)
        return messages.failed(tag, message(error), elapsed)

    def _health(self) -> tuple[bool, str | None]:
        check = self._model.healthcheck
        if check is None:
            return True, None
        try:
            good = check()
        except Exception as error:  # noqa: BLE001 - the author's own check
            print_traceback(error)
            return False, message(error)
        return messages.judge(good)


def _finish(pieces: Any, error: CancelationException) -> None:
    """Tell a generator that waits at its `yield` that it is canceled."""
    if getattr(pieces, "gi_frame", None) is None or pieces.gi_running:
        return
    try:
        pieces.throw(error)
    except (CancelationException, StopIteration):
        return
