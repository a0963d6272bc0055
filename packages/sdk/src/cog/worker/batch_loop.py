"""The loop of a sync `@batched` predictor: on the main thread, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from cog.errors import CancelationException, InputError
from cog.scope import sole
from cog.worker import frames, messages
from cog.worker.batch import Batch, Item
from cog.worker.cancel import Canceler
from cog.worker.channel import Channel
from cog.worker.model import Model
from cog.worker.report import flush, message
from cog.worker.sync_loop import SyncLoop


class BatchCanceler(Canceler):
    """Ends single predictions of a batch; the author's code is interrupted when none is left."""

    __slots__ = ("_live", "_tell")

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self._live: set[int] = set()
        self._tell: Callable[[int], None] = lambda tag: None  # noqa: ARG005 - nothing runs yet

    def begin_batch(self, tags: set[int], tell: Callable[[int], None]) -> None:
        """Start watching over a batch; `tell` learns of each that is canceled while others go on."""
        self._live = tags
        self._tell = tell
        self.canceled = False

    def _look(self) -> None:
        channel = self._channel
        channel.poll()
        for frame in tuple(channel.inbox):
            kind, tag, _ = frame
            if kind != frames.CANCEL:
                continue
            channel.inbox.remove(frame)
            if tag in self._live and len(self._live) > 1:
                self._live.discard(tag)
                self._tell(tag)
            elif tag in self._live and not self.canceled:
                self.canceled = True
                raise CancelationException


class BatchLoop(SyncLoop):
    """Runs batches of one model until the server says SHUTDOWN or goes away."""

    def __init__(self, model: Model, channel: Channel) -> None:
        """Take over SIGUSR1."""
        self._batches = BatchCanceler(channel)
        self._batches.install()
        super().__init__(model, channel, self._batches)
        self._held: list[Item] = []

    def _predict(self, tag: int, payload: bytes) -> bytes:
        """Hold a prediction until its batch is whole, then run it; return the terminal frames."""
        try:
            request = messages.read_request(payload)
        except InputError as error:
            return messages.failed(tag, message(error), 0.0)
        self._held.append(Item(tag, request, self._listener(tag)))
        if request.get("more"):
            return b""
        items, self._held = self._held, []
        return self._run_batch(Batch(self._model, items))

    def _run_batch(self, batch: Batch) -> bytes:
        """Call the function. Nothing the author does gets out of here."""
        canceler = self._batches
        called, lists = batch.prepare()
        started = perf_counter()
        told: list[int] = []

        def tell(tag: int) -> None:
            told.append(tag)
            batch.cancel(tag, perf_counter() - started)
            self._channel.send(messages.canceled(tag, perf_counter() - started))

        if called:
            canceler.begin_batch({item.tag for item in called}, tell)
            sole.scope = batch.scope(called)
            try:
                batch.answer(called, self._call_batch(lists), perf_counter() - started)
            except BaseException as error:  # noqa: BLE001 - sys.exit() in predict() must not take the model down
                if not canceler.canceled:
                    batch.fail(error, perf_counter() - started)
            finally:
                canceler.armed = False
                sole.scope = None
                batch.release()
            if canceler.canceled:  # also where the author's code swallowed it
                for item in called:
                    if item.tag not in told:
                        item.answer = messages.canceled(item.tag, perf_counter() - started)
        flush()
        return b"".join(item.answer or b"" for item in batch.items if item.tag not in told)

    def _call_batch(self, lists: dict[str, list[Any]]) -> Any:
        try:
            self._batches.arm()
            return self._model.function(**lists)
        finally:
            self._batches.armed = False
