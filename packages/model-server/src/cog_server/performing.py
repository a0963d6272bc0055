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
from mmap import mmap
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
from cog_server.prediction import COMPLETED, START, Prediction
from cog_server.statistics import Statistics
from cog_server.tracing import Passing, Tracer
from cog_server.webhooks import WebhookClient
from cog_server.workers import messages
from cog_server.workers.lane import Group, Lane
from cog_server.workers.pool import Pool
from cog_server.workers.supervisor import OnLog

log = logging.getLogger("cog_server")

_EMPTY_CONTEXT = b"{}"

_encode = msgspec.json.encode


class Performer:
    """Hold the predictions of one model and perform their effects."""

    def __init__(
        self,
        *,
        limits: Limits,
        folders: Folders,
        fetcher: Fetcher,
        store: Callable[[str | None], OutputStore],
        webhooks: WebhookClient,
        on_log: OnLog | None = None,
        tracer: Tracer | None = None,
        training: bool = False,
    ) -> None:
        self.limits = limits
        self._webhooks = webhooks
        self.slots = 1
        self.draining = False
        self._tells = log.isEnabledFor(logging.INFO)
        self.statistics = Statistics("training" if training else "prediction")
        self._folders = folders
        self._fetcher = fetcher
        self._store = store
        self._on_log = on_log
        self._traced = tracer is not None
        self._tracer: Tracer = tracer or Passing()
        self._training = training
        self._pool: Pool | None = None
        self._lanes: tuple[Lane, ...] = ()
        self._busy = 0
        self._queue: deque[Prediction] = deque()
        self._live: dict[str, Prediction] = {}
        self._preparing = 0
        self._storing: set[Prediction] = set()
        self._memory = Memory()
        self._next_tag = 0
        self._ready = False
        self.on_ready: Callable[[bool], None] | None = None
        """Told when the model begins and ceases to take predictions."""
        self._batch_timer: asyncio.TimerHandle | None = None
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

    def attach(self, pool: Pool) -> None:
        """Name the workers that run the predictions."""
        self._pool = pool
        self._lanes = pool.lanes

    @property
    def pool(self) -> Pool:
        """The workers."""
        if self._pool is None:
            raise RuntimeError("attach() comes first")
        return self._pool

    def _fire(self, prediction: Prediction, event: Event) -> None:
        prediction.state, effects = step(prediction.state, event)
        for effect in effects:
            self._effects[effect](prediction)

    def _add_output(self, prediction: Prediction, raw: bytes | mmap, final: bool = False) -> None:  # noqa: FBT001, FBT002 - a callback
        if final:
            prediction.output = raw
            return
        self._add_outputs(prediction, [bytes(raw)])

    def _add_outputs(self, prediction: Prediction, texts: list[bytes]) -> None:
        self._fire(prediction, Event.OUTPUT)
        if not prediction.over:
            prediction.put_out(texts)
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
        while self._queue:
            lane = self._free_lane()
            if lane is None or (lane.batch is not None and not self._batch_is_due(lane.batch)):
                return
            if lane.batch is None:
                prediction = self._queue.popleft()
                if not self._has_folder(prediction):
                    continue
                prediction.lane = lane
                self._fire(prediction, Event.SLOT)
            else:
                self._send_batch(lane, min(lane.batch.max_size, len(self._queue)))

    def _free_lane(self) -> Lane | None:
        """Return the worker with the least to do that can take more."""
        best: Lane | None = None
        for lane in self._lanes:
            if lane.free and (best is None or len(lane.running) < len(best.running)):
                best = lane
        return best

    def _batch_is_due(self, batch: messages.Batch) -> bool:
        """Say whether a batch may leave: it is full, or its first prediction has waited long enough."""
        if len(self._queue) >= batch.max_size:
            return True
        left = self._queue[0].queued_at + batch.max_wait - self._loop.time()
        if left <= 0:
            return True
        if self._batch_timer is None:
            self._batch_timer = self._loop.call_later(left, self._batch_waited)
        return False

    def _batch_waited(self) -> None:
        self._batch_timer = None
        self._pump()

    def _send_batch(self, lane: Lane, size: int) -> None:
        """Send the first of the queue together, in their order; whoever came first is never overtaken."""
        members = [one for one in [self._queue.popleft() for _ in range(size)] if self._has_folder(one)]
        if not members:
            return
        lane.groups += 1
        group = Group(len(members))
        for prediction in members:
            prediction.lane, prediction.group, prediction.more = lane, group, prediction is not members[-1]
            self._fire(prediction, Event.SLOT)

    def _has_folder(self, prediction: Prediction) -> bool:
        """Give a prediction its folder; one that can have none is over, before it takes a slot."""
        if prediction.folder is None:
            try:
                prediction.folder = self._folders.take()
            except OSError as exc:
                prediction.error = f"No folder could be made for the prediction: {exc.strerror}."
                self._fire(prediction, Event.NO_FOLDER)
                return False
        return True

    def _prepare(self, prediction: Prediction) -> None:
        self._preparing += 1
        prediction.task = self._loop.create_task(self._fetch(prediction))

    async def _fetch(self, prediction: Prediction) -> None:
        folder: str | None = None
        event = Event.PREPARE_FAILED
        try:
            folder = self._folders.take()
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
            log.exception("inputs failed id=%s request=%s", prediction.id, prediction.request_id)
            prediction.error = "An input file could not be prepared; the server's log says why."
        finally:
            self._preparing -= 1
            if event is not Event.PREPARED and folder is not None:
                self._give_back(folder)
        prediction.task = None
        self._fire(prediction, event)

    def _enqueue(self, prediction: Prediction) -> None:
        prediction.queued_at = self._loop.time()
        self._queue.append(prediction)
        self._pump()

    def _unqueue(self, prediction: Prediction) -> None:
        self._queue.remove(prediction)

    def _send(self, prediction: Prediction) -> None:
        self._next_tag = tag = self._next_tag % 0xFFFF_FFFF + 1
        prediction.tag = tag
        lane = prediction.lane
        assert lane is not None  # noqa: S101 - _pump chose it
        lane.running[tag] = prediction
        self._busy += 1
        prediction.started_at = time.time()
        context = _encode(prediction.context) if prediction.context else _EMPTY_CONTEXT
        # The caller's JSON goes through as it came; ids and folders hold nothing that needs escaping.
        trace = prediction.trace
        payload = b'{"id":"%s","input":%s,"context":%s,"dir":%s%s%s}' % (
            prediction.id.encode(),
            prediction.input_raw,
            context,
            _encode(prediction.folder),
            b',"more":true' if prediction.more else b"",
            b"" if trace is None else b',"trace":' + _encode(trace.runs()),
        )
        lane.supervisor.send(frames.PREDICT, tag, payload)
        if self.limits.predict_timeout is not None:
            prediction.time_limit = self._loop.call_later(
                self.limits.predict_timeout, self._took_too_long, prediction
            )

    def _took_too_long(self, prediction: Prediction) -> None:
        if prediction.error is None:
            prediction.error = (
                f"The prediction ran longer than the {self.limits.predict_timeout:g} seconds it may."
            )
        self._fire(prediction, Event.TOO_LONG)

    def _emit_start(self, prediction: Prediction) -> None:
        prediction.emit(START)
        if prediction.webhook is not None:
            prediction.webhook.notify("start")

    def _send_cancel(self, prediction: Prediction) -> None:
        if prediction.lane is not None:
            running, tag = prediction.lane.running, prediction.tag
            prediction.lane.supervisor.cancel(tag, lambda: running.get(tag) is prediction)
        if prediction.grace is None:
            prediction.grace = self._loop.call_later(
                self.limits.cancel_grace, self._fire, prediction, Event.GRACE_OVER
            )

    def _kill_worker(self, prediction: Prediction) -> None:
        grace = self.limits.cancel_grace
        lane = prediction.lane
        if lane is None:
            return
        if prediction.group is not None and any(
            other.group is prediction.group and other.grace is None for other in lane.running.values()
        ):
            # Others of its batch still run, and nobody asked that they end.
            prediction.grace = self._loop.call_later(grace, self._fire, prediction, Event.GRACE_OVER)
            return
        lane.supervisor.kill(f"the prediction {prediction.id} did not end within {grace:g} s of its cancel")

    def _free_slot(self, prediction: Prediction) -> None:
        lane = prediction.lane
        if lane is not None and lane.running.pop(prediction.tag, None) is not None:
            self._busy -= 1
            if prediction.group is not None:
                prediction.group.left -= 1
                if not prediction.group.left:
                    lane.groups -= 1
                    for folder in prediction.group.folders:
                        self._give_back(folder)
        if prediction.grace is not None:
            prediction.grace.cancel()
            prediction.grace = None
        if prediction.time_limit is not None:
            prediction.time_limit.cancel()
            prediction.time_limit = None
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
        if prediction.deadline is not None:
            prediction.deadline.cancel()
            prediction.deadline = None
        status = prediction.status
        if status != "failed":
            prediction.error = None
        elif prediction.error is None:
            prediction.error = "The prediction failed."
        self._live.pop(prediction.id, None)
        # Whoever waits is told first: the rest is done while the client reads.
        prediction.emit(COMPLETED)
        self._count(prediction, status, now)
        if self._tells:
            self._tell(prediction, status)
        prediction.value = None
        prediction.places = []
        prediction.input_raw = b""
        self._return_folder(prediction)
        moment = self._loop.time()
        self._memory.keep(prediction, moment)
        self._memory.sweep(moment)
        if prediction.trace is not None:
            prediction.trace.over(prediction)
        if prediction.webhook is not None:
            prediction.webhook.notify("completed")
        # These refer to the prediction: without them it goes, with all its bytes, when it is forgotten, not when
        # Python comes to look for cycles.
        prediction.delivery = prediction.webhook = prediction.lane = None
        if self._idle and not self._live:
            for future in self._idle:
                if not future.done():
                    future.set_result(None)
            self._idle.clear()

    def _tell(self, prediction: Prediction, status: str) -> None:
        noun = self.statistics.noun
        fields: dict[str, object] = {noun: prediction.id, "request": prediction.request_id}
        fields |= {"status": status, "seconds": prediction.predict_time}
        words = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        log.info("%s ended %s", noun, words, extra={"fields": fields})

    def _count(self, prediction: Prediction, status: str, now: float) -> None:
        created, started = prediction.created_at, prediction.started_at
        # The clock may have been set back in between.
        self.statistics.ended(
            status,
            prediction.predict_time,
            waited=None if started is None else max(0.0, started - created),
            whole=max(0.0, now - created),
        )

    def _return_folder(self, prediction: Prediction) -> None:
        if prediction.folder is not None and not prediction.hold_folder:
            group = prediction.group
            if group is not None and group.left:
                group.folders.append(prediction.folder)  # the rest of its batch may still read there
            else:
                self._give_back(prediction.folder)
            prediction.folder = None

    def _give_back(self, folder: str) -> None:
        if not self._folders.untouched(folder):
            self._loop.run_in_executor(None, self._folders.remove, folder)
