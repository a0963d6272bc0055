"""Perform what the lifecycle's table says: one method for each effect.

This is the lower half of the engine. It holds what predictions share (slots, queue, folders), turns an event into
effects and carries them out, in callbacks on one event loop. It decides nothing that the table decides.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from cog_server import frames
from cog_server.asked import Limits
from cog_server.delivery import Delivery
from cog_server.errors import InputInvalidError
from cog_server.folders import Folders
from cog_server.inputs.fetch import Fetcher
from cog_server.inputs.prepare import prepare
from cog_server.lifecycle import Effect, Event, step
from cog_server.memory import Memory
from cog_server.outputs import OutputStore
from cog_server.prediction import COMPLETED, OUTPUT, START, Prediction
from cog_server.statistics import Statistics
from cog_server.webhooks import WebhookClient
from cog_server.workers.supervisor import OnLog, Supervisor

log = logging.getLogger("cog_server")

_EMPTY_CONTEXT = b"{}"

_encode = msgspec.json.encode


class Performer:
    """Hold the predictions of one worker and perform their effects."""

    def __init__(
        self,
        *,
        limits: Limits,
        folders: Folders,
        fetcher: Fetcher,
        store: Callable[[str | None], OutputStore],
        webhooks: WebhookClient,
        on_log: OnLog | None = None,
    ) -> None:
        self.limits = limits
        self._webhooks = webhooks
        self.slots = 1
        self.draining = False
        self.statistics = Statistics()
        self._folders = folders
        self._fetcher = fetcher
        self._store = store
        self._on_log = on_log
        self._supervisor: Supervisor | None = None
        self._running: dict[int, Prediction] = {}
        self._queue: deque[Prediction] = deque()
        self._live: dict[str, Prediction] = {}
        self._preparing = 0
        self._storing: set[Prediction] = set()
        self._memory = Memory()
        self._next_tag = 0
        self._ready = False
        self._is_async = False
        self._idle: list[asyncio.Future[None]] = []
        self._loop = asyncio.get_running_loop()
        self._effects: dict[Effect, Callable[[Prediction], None]] = {
            Effect.PREPARE: self._prepare,
            Effect.ENQUEUE: self._enqueue,
            Effect.UNQUEUE: self._unqueue,
            Effect.SEND: self._send,
            Effect.EMIT_START: self._emit_start,
            Effect.SEND_CANCEL: self._send_cancel,
            Effect.KILL_WORKER: self._kill_worker,
            Effect.FREE_SLOT: self._free_slot,
            Effect.STORE: self._finish_storing,
            Effect.ABORT: self._abort,
            Effect.COMPLETE: self._complete,
        }

    def attach(self, supervisor: Supervisor) -> None:
        """Name the supervisor whose worker runs the predictions."""
        self._supervisor = supervisor

    @property
    def supervisor(self) -> Supervisor:
        """The worker's keeper."""
        if self._supervisor is None:
            raise RuntimeError("attach() comes first")
        return self._supervisor

    def _fire(self, prediction: Prediction, event: Event) -> None:
        prediction.state, effects = step(prediction.state, event)
        for effect in effects:
            self._effects[effect](prediction)

    def _add_output(self, prediction: Prediction, raw: bytes, final: bool = False) -> None:  # noqa: FBT001, FBT002 - a callback
        if final:
            prediction.output = raw
            return
        self._fire(prediction, Event.OUTPUT)
        if not prediction.over:
            prediction.outputs.append(raw)
            prediction.emit(OUTPUT, (len(prediction.outputs) - 1, raw))
            if prediction.webhook is not None:
                prediction.webhook.notify("output")

    def _store_failed(self, prediction: Prediction, why: str) -> None:
        if prediction.error is None:
            prediction.error = why
        self._fire(prediction, Event.STORE_FAILED)

    def _delivery(self, prediction: Prediction) -> Delivery:
        if prediction.delivery is None:
            prediction.delivery = Delivery(
                self._store(prediction.prefix),
                on_value=lambda raw, final: self._add_output(prediction, raw, final),
                on_done=lambda: self._fire(prediction, Event.STORED),
                on_failed=lambda why: self._store_failed(prediction, why),
            )
        return prediction.delivery

    # Effects.

    def _pump(self) -> None:
        while self._queue and self._ready and len(self._running) < self.slots:
            self._fire(self._queue.popleft(), Event.SLOT)

    def _prepare(self, prediction: Prediction) -> None:
        self._preparing += 1
        prediction.task = self._loop.create_task(self._fetch(prediction))

    async def _fetch(self, prediction: Prediction) -> None:
        folder = self._folders.take()
        event = Event.PREPARE_FAILED
        try:
            value = await prepare(prediction.value or {}, prediction.places, Path(folder), self._fetcher)
            prediction.input_raw = _encode(value)
            prediction.folder = folder
            event = Event.PREPARED
        except InputInvalidError as exc:
            prediction.error = exc.message
        except OSError as exc:
            prediction.error = f"An input file could not be stored: {exc.strerror}."
        except Exception:
            # Whatever it is, the prediction must not hang in this state.
            log.exception("inputs failed id=%s", prediction.id)
            prediction.error = "An input file could not be prepared; the server's log says why."
        finally:
            self._preparing -= 1
            if event is not Event.PREPARED:
                self._give_back(folder)
        prediction.task = None
        self._fire(prediction, event)

    def _enqueue(self, prediction: Prediction) -> None:
        self._queue.append(prediction)
        self._pump()

    def _unqueue(self, prediction: Prediction) -> None:
        self._queue.remove(prediction)

    def _send(self, prediction: Prediction) -> None:
        self._next_tag = tag = self._next_tag % 0xFFFF_FFFF + 1
        prediction.tag = tag
        self._running[tag] = prediction
        if prediction.folder is None:
            prediction.folder = self._folders.take()
        prediction.started_at = time.time()
        context = _encode(prediction.context) if prediction.context else _EMPTY_CONTEXT
        # The caller's JSON goes through as it came; ids and folders hold nothing that needs escaping.
        payload = b'{"id":"%s","input":%s,"context":%s,"dir":%s}' % (
            prediction.id.encode(),
            prediction.input_raw,
            context,
            _encode(prediction.folder),
        )
        self.supervisor.send(frames.PREDICT, tag, payload)

    def _emit_start(self, prediction: Prediction) -> None:
        prediction.emit(START)
        if prediction.webhook is not None:
            prediction.webhook.notify("start")

    def _send_cancel(self, prediction: Prediction) -> None:
        self.supervisor.cancel(prediction.tag)
        if prediction.grace is None:
            prediction.grace = self._loop.call_later(
                self.limits.cancel_grace, self._fire, prediction, Event.GRACE_OVER
            )

    def _kill_worker(self, prediction: Prediction) -> None:
        grace = self.limits.cancel_grace
        self.supervisor.kill(f"the prediction {prediction.id} did not end within {grace:g} s of its cancel")

    def _free_slot(self, prediction: Prediction) -> None:
        self._running.pop(prediction.tag, None)
        if prediction.grace is not None:
            prediction.grace.cancel()
            prediction.grace = None
        if self._queue:
            self._pump()

    def _finish_storing(self, prediction: Prediction) -> None:
        self._storing.add(prediction)
        self._delivery(prediction).end()

    def _abort(self, prediction: Prediction) -> None:
        if prediction.task is not None:
            prediction.task.cancel()
        if prediction.delivery is not None:
            prediction.delivery.abort()

    def _complete(self, prediction: Prediction) -> None:
        now = time.time()
        prediction.completed_at = now
        self._storing.discard(prediction)
        status = prediction.status
        if status != "failed":
            prediction.error = None
        elif prediction.error is None:
            prediction.error = "The prediction failed."
        self.statistics.ended(status, prediction.predict_time)
        self._live.pop(prediction.id, None)
        prediction.value = None
        prediction.places = []
        prediction.input_raw = b""
        self._return_folder(prediction)
        moment = self._loop.time()
        self._memory.keep(prediction, moment)
        self._memory.sweep(moment)
        prediction.emit(COMPLETED)
        if prediction.webhook is not None:
            prediction.webhook.notify("completed")
        if self._idle and not self._live:
            for future in self._idle:
                if not future.done():
                    future.set_result(None)
            self._idle.clear()

    def _return_folder(self, prediction: Prediction) -> None:
        if prediction.folder is not None and not prediction.hold_folder:
            self._give_back(prediction.folder)
            prediction.folder = None

    def _give_back(self, folder: str) -> None:
        if not self._folders.untouched(folder):
            self._loop.run_in_executor(None, self._folders.remove, folder)
