"""The loop of an async `@batched` predictor: up to `concurrency` batches on one event loop."""

from __future__ import annotations

import asyncio
import inspect
from time import perf_counter

from cog.errors import InputError
from cog.scope import enter
from cog.worker import frames, messages
from cog.worker.async_loop import AsyncLoop
from cog.worker.batch import Batch, Item
from cog.worker.model import Model
from cog.worker.report import flush, message


class AsyncBatchLoop(AsyncLoop):
    """Runs batches of one model until the server says SHUTDOWN or goes away."""

    def __init__(self, model: Model) -> None:
        """Prepare; for use on a running loop only."""
        super().__init__(model)
        self._held: list[Item] = []
        self._batches: dict[int, tuple[Batch, float]] = {}
        self._over_tags: set[int] = set()

    def _take(self, frame: frames.Frame) -> None:
        kind, tag, payload = frame
        if kind != frames.PREDICT:
            super()._take(frame)
            return
        try:
            request = messages.read_request(payload)
        except InputError as error:
            self._protocol.send(messages.failed(tag, message(error), 0.0))
            return
        self._held.append(Item(tag, request, self._listener(tag)))
        if not request.get("more"):
            items, self._held = self._held, []
            batch = Batch(self._model, items)
            task = self._loop.create_task(self._run_batch(batch))
            for item in items:
                self._tasks[item.tag] = task
                self._batches[item.tag] = batch, perf_counter()

    def _cancel(self, tag: int) -> None:
        """Answer for one that is canceled at once; the task is canceled when no other needs it."""
        if tag not in self._tasks or tag in self._canceled:
            return
        batch, started = self._batches[tag]
        self._canceled.add(tag)
        if all(item.tag in self._canceled for item in batch.waiting):
            if tag in self._begun:
                self._tasks[tag].cancel()
            return
        batch.cancel(tag, perf_counter() - started)
        self._over_tags.add(tag)
        self._protocol.send(messages.canceled(tag, perf_counter() - started))

    async def _run_batch(self, batch: Batch) -> None:
        """Run one batch and send its terminal frames. Nothing the author does gets out of here."""
        tags = {item.tag for item in batch.items}
        self._begun |= tags
        called, lists = batch.prepare()
        started = perf_counter()
        try:
            if called and not all(item.tag in self._canceled for item in called):
                enter(batch.scope(called))
                result = self._model.function(**lists)
                if inspect.isawaitable(result):
                    result = await result
                batch.answer(called, result, perf_counter() - started)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in predict() must not take the model down
            if not (isinstance(error, asyncio.CancelledError) and tags & self._canceled):
                batch.fail(error, perf_counter() - started)
        batch.release()
        flush()
        for item in batch.items:
            if item.tag in self._canceled:
                item.answer = messages.canceled(item.tag, perf_counter() - started)
            if item.tag not in self._over_tags:
                self._protocol.send(item.answer or messages.canceled(item.tag, perf_counter() - started))
            del self._tasks[item.tag], self._batches[item.tag]
        self._begun -= tags
        self._canceled -= tags
        self._over_tags -= tags
