"""The engine: accepts predictions, gives them slots, and performs what the lifecycle's table says.

Theory of operation: everything here runs on one event loop, in callbacks. Each thing that happens (a frame, a death, a
cancel) becomes a lifecycle event; `_fire` looks up the step and calls one method for each effect, in order. A slot is
freed, and the next prediction sent, before the answer of the one that ended is even made. Awaiting happens only at the
edges: fetching inputs, storing outputs, webhooks.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from cog_server import frames
from cog_server.delivery import Delivery
from cog_server.errors import (
    BusyError,
    ConflictError,
    InputInvalidError,
    NotReadyError,
    ProtocolError,
    UnknownPredictionError,
)
from cog_server.folders import Folders
from cog_server.inputs.fetch import Fetcher
from cog_server.inputs.prepare import FilePlace, prepare
from cog_server.lifecycle import Effect, Event, step
from cog_server.memory import Memory
from cog_server.outputs import OutputStore
from cog_server.prediction import COMPLETED, LOG, METRIC, OUTPUT, START, Prediction
from cog_server.recording import record
from cog_server.statistics import Statistics
from cog_server.webhooks import Webhook, WebhookClient
from cog_server.workers import messages
from cog_server.workers.health import Health
from cog_server.workers.supervisor import OnLog, Supervisor

log = logging.getLogger("cog_server")

CANCEL_GRACE = 5.0
"""Seconds a canceled prediction may take to end before the worker is killed."""
QUEUE = 100
STORING_MOST = 64
"""Predictions that may be storing their files at once, beyond slots and queue."""
OUTPUT_LIMIT = 1 << 30
"""Bytes of JSON that one prediction may put out."""
_EMPTY_CONTEXT = b"{}"

_encode = msgspec.json.encode


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the operator set."""

    queue: int = QUEUE
    strict: bool = False
    slots: int | None = None
    cancel_grace: float = CANCEL_GRACE


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request for a prediction."""

    id: str
    value: Mapping[str, Any]
    input_raw: bytes
    """The JSON of the input as the worker may get it, when there are no files in it."""
    shown_input: bytes
    """The JSON of the input as anyone may see it."""
    places: list[FilePlace]
    context: dict[str, str] | None = None
    prefix: str | None = None
    created_at: str | None = None
    hold_folder: bool = False


class Engine:
    """Run predictions on the worker of one supervisor."""

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

    # What callers do.

    @property
    def supervisor(self) -> Supervisor:
        """The worker's keeper."""
        if self._supervisor is None:
            raise RuntimeError("attach() comes first")
        return self._supervisor

    @property
    def health(self) -> Health:
        """The state that is told: READY and BUSY differ by whether a slot is free."""
        health = self.supervisor.health
        if health is Health.READY and len(self._running) >= self.slots:
            return Health.BUSY
        return health

    @property
    def waiting(self) -> int:
        """Predictions that have no slot yet."""
        return len(self._queue) + self._preparing

    @property
    def running(self) -> int:
        """Predictions that have a slot."""
        return len(self._running)

    def find(self, id: str) -> Prediction:
        """Return a running or lately ended prediction. Raises UnknownPredictionError."""
        found = self._live.get(id) or self._memory.get(id, self._loop.time())
        if found is None:
            raise UnknownPredictionError(f"There is no prediction {id!r}, or it ended too long ago.")
        return found

    def known(self, id: str) -> Prediction | None:
        """Return a running or lately ended prediction, or None."""
        return self._live.get(id) or self._memory.get(id, self._loop.time())

    @property
    def accepting(self) -> bool:
        """Whether new predictions are taken at all."""
        return self._ready and not self.draining

    def refuse_now(self) -> NoReturn:
        """Raise NotReadyError, with the reason."""
        raise NotReadyError("The server is shutting down." if self.draining else self._why_not_ready())

    def submit(self, asked: Asked, hook: tuple[str, frozenset[str]] | None = None) -> Prediction:
        """Accept a prediction; `hook` is a webhook's URL and events.

        Raises NotReadyError, BusyError or ConflictError.
        """
        if not self.accepting:
            self.refuse_now()
        if asked.id in self._live:
            raise ConflictError(f"A prediction with the id {asked.id!r} is running.")
        if (
            len(self._running) + self.waiting >= self.slots + self.limits.queue
            or len(self._storing) >= STORING_MOST
        ):
            raise BusyError("All slots are busy" + (" and the queue is full." if self.limits.queue else "."))
        prediction = Prediction(
            id=asked.id,
            value=asked.value,
            input_raw=asked.input_raw,
            shown_input=asked.shown_input,
            created_at=time.time(),
        )
        prediction.created_given = asked.created_at
        prediction.prefix = asked.prefix
        prediction.hold_folder = asked.hold_folder
        prediction.places = asked.places
        if asked.context:
            prediction.context = asked.context
        if hook is not None:
            prediction.webhook = Webhook(self._webhooks, hook[0], hook[1], prediction.answer)
        self._live[asked.id] = prediction
        self._fire(prediction, Event.ACCEPTED_WITH_FILES if asked.places else Event.ACCEPTED)
        return prediction

    def cancel(self, prediction: Prediction) -> None:
        """Ask that a prediction stop; nothing happens when it is over."""
        self._fire(prediction, Event.CANCEL)

    def retry_after(self) -> int:
        """Return the seconds after which a place may be free, at least 1."""
        typical = self.statistics.typical_seconds
        return max(1, min(60, math.ceil(typical * (self.waiting + 1) / max(1, self.slots))))

    async def drained(self) -> None:
        """Refuse new predictions and wait for those there are."""
        self.draining = True
        if self._live:
            future: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(future)
            await future

    def cancel_all(self) -> None:
        """Ask that everything stop."""
        for prediction in list(self._live.values()):
            self.cancel(prediction)

    def release_folder(self, prediction: Prediction) -> None:
        """Remove the folder of a prediction that was held for its reader."""
        prediction.hold_folder = False
        self._return_folder(prediction)

    # What the supervisor says.

    def worker_ready(self, ready: messages.Ready) -> None:
        """Open the slots."""
        self._is_async = ready.is_async
        offered = max(1, ready.concurrency) if ready.is_async else 1
        self.slots = self.limits.slots if self.limits.slots is not None and ready.is_async else offered
        self._ready = True
        self._pump()

    def worker_frame(self, kind: int, tag: int, payload: bytes) -> None:
        """Turn a frame into a lifecycle event."""
        prediction = self._running.get(tag)
        if prediction is None:
            return  # the end of something that was given up
        if kind == frames.SUCCEEDED:
            self._succeeded(prediction, payload)
        elif kind == frames.OUTPUT:
            self._output(prediction, payload)
        elif kind == frames.LOG:
            source, text = frames.split_log(payload)
            self._text(prediction, source, text)
        elif kind == frames.METRIC:
            metric: messages.Metric = messages.decode(messages.Metric, payload)
            record(prediction.metrics, metric.name, metric.value, metric.mode)
            self._fire(prediction, Event.METRIC)
            prediction.emit(METRIC, metric)
        elif kind == frames.FAILED:
            failed: messages.Failed = messages.decode(messages.Failed, payload)
            self.supervisor.drain()
            prediction.predict_time = failed.predict_time
            if prediction.error is None:
                prediction.error = failed.error
            self._fire(prediction, Event.FAILED)
        elif kind == frames.CANCELED:
            canceled: messages.Canceled = messages.decode(messages.Canceled, payload)
            self.supervisor.drain()
            prediction.predict_time = canceled.predict_time
            self._fire(prediction, Event.CANCELED)
        else:
            raise ProtocolError(f"a frame of kind 0x{kind:02x} cannot speak of a prediction")

    def worker_text(self, source: str, text: str) -> None:
        """Give text to the prediction that wrote it, when that is certain; else it is the server's own log."""
        if len(self._running) == 1:
            self._text(next(iter(self._running.values())), source, text)
        elif self._on_log is not None:
            self._on_log(source, text)

    def worker_gone(self, why: str) -> None:
        """End what ran on the dead worker; what waits goes on waiting for the next."""
        self._ready = False
        for prediction in list(self._running.values()):
            if prediction.error is None and prediction.state.value == "running":
                prediction.error = why
            self._fire(prediction, Event.DIED)

    def worker_lost(self, why: str) -> None:
        """End everything: there will be no worker."""
        self._ready = False
        for prediction in list(self._live.values()):
            if prediction.error is None:
                prediction.error = why
            self._fire(prediction, Event.LOST)

    # Events.

    def _fire(self, prediction: Prediction, event: Event) -> None:
        prediction.state, effects = step(prediction.state, event)
        for effect in effects:
            self._effects[effect](prediction)

    def _succeeded(self, prediction: Prediction, payload: bytes) -> None:
        # What the model wrote is in the pipes by now (spec, "Order and logs").
        self.supervisor.drain()
        prediction.predict_time, flags, raw = frames.split_success(payload)
        delivery = prediction.delivery
        if flags & frames.HAS_FILES:
            delivery = self._delivery(prediction)
            delivery.put(raw, has_files=True, final=True)
        elif raw:
            prediction.output = raw
        elif not prediction.streamed:
            ready = self.supervisor.ready
            prediction.streamed = ready is not None and ready.iterator
        busy = delivery is not None and not delivery.idle
        self._fire(prediction, Event.SUCCEEDED_WITH_FILES if busy else Event.SUCCEEDED)

    def _output(self, prediction: Prediction, payload: bytes) -> None:
        flags, raw = frames.split_output(payload)
        prediction.streamed = True
        prediction.output_size += len(raw)
        if prediction.output_size > OUTPUT_LIMIT:
            self._store_failed(prediction, f"The model put out more than {OUTPUT_LIMIT} bytes.")
            return
        delivery = prediction.delivery
        if flags & frames.HAS_FILES or (delivery is not None and not delivery.idle):
            delivery = self._delivery(prediction)
            delivery.put(raw, has_files=bool(flags & frames.HAS_FILES))
        else:
            self._add_output(prediction, raw)

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

    def _text(self, prediction: Prediction, source: str, text: str) -> None:
        if self._on_log is not None:
            self._on_log(source, text)
        kept = prediction.add_log(text)
        if kept:
            self._fire(prediction, Event.LOG)
            prediction.emit(LOG, (source, kept))
            if prediction.webhook is not None:
                prediction.webhook.notify("logs")

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

    def _why_not_ready(self) -> str:
        supervisor = self.supervisor
        health = supervisor.health
        if health is Health.SETUP_FAILED:
            return f"The model's setup failed: {supervisor.failure}"
        if health is Health.DEFUNCT:
            return f"The model's process keeps dying: {supervisor.failure}"
        if supervisor.restarts:
            return "The model's process died and is being started again. Try again shortly."
        return "The model's setup() has not finished yet. Try again shortly."

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
