"""The engine: accepts predictions and tells them what their worker says.

Theory of operation: everything here runs on one event loop, in callbacks. Each thing that happens (a frame, a death, a
cancel) becomes a lifecycle event; `performing.Performer` looks up the step and calls one method for each effect, in
order. A slot is freed, and the next prediction sent, before the answer of the one that ended is even made. Awaiting
happens only at the edges: fetching inputs, storing outputs, webhooks.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import NoReturn

from cog_server import frames
from cog_server.asked import Asked
from cog_server.errors import BusyError, ConflictError, NotReadyError, ProtocolError, UnknownPredictionError
from cog_server.lifecycle import Event
from cog_server.origin import Origin
from cog_server.performing import Performer
from cog_server.prediction import LOG, METRIC, Prediction
from cog_server.recording import record
from cog_server.webhooks import Webhook
from cog_server.workers import messages
from cog_server.workers.health import Health
from cog_server.workers.lane import Lane

STORING_MOST = 64
"""Predictions that may be storing their files at once, beyond slots and queue."""
_NOWHERE = Origin()
_PLAIN = b"\0"
"""The flags of an output without files."""
OUTPUT_LIMIT = 1 << 30
"""Bytes of JSON that one prediction may put out."""


class Engine(Performer):
    """Run predictions on the workers of one model."""

    # What callers do.

    @property
    def health(self) -> Health:
        """The state that is told: READY and BUSY differ by whether a slot is free."""
        health = self.pool.health
        if health is Health.READY and not any(
            lane.ready and len(lane.running) < lane.slots for lane in self._lanes
        ):
            return Health.BUSY
        return health

    @property
    def waiting(self) -> int:
        """Predictions that have no slot yet."""
        return len(self._queue) + self._preparing

    @property
    def running(self) -> int:
        """Predictions that have a slot."""
        return self._busy

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

    def submit(
        self,
        asked: Asked,
        hook: tuple[str, frozenset[str]] | None = None,
        cancel_after: float | None = None,
        origin: Origin | None = None,
    ) -> Prediction:
        """Accept a prediction; `hook` is a webhook's URL and events, `cancel_after` the seconds it may live.

        `origin` is what the request says of where it comes from; without one it comes from this program.
        Raises NotReadyError, BusyError or ConflictError.
        """
        if not self.accepting:
            self.refuse_now()
        if asked.id in self._live:
            raise ConflictError(f"A prediction with the id {asked.id!r} is running.")
        if self._busy + self.waiting >= self.slots + self.limits.queue or len(self._storing) >= STORING_MOST:
            self.statistics.refused += 1
            raise BusyError("All slots are busy" + (" and the queue is full." if self.limits.queue else "."))
        prediction = Prediction(
            id=asked.id,
            value=asked.value,
            input_raw=asked.input_raw,
            shown_input=asked.shown_input,
            created_at=time.time(),
        )
        prediction.own_id = asked.own_id
        prediction.created_given = asked.created_at
        prediction.prefix = asked.prefix
        prediction.hold_folder = asked.hold_folder
        prediction.places = asked.places
        if asked.context:
            prediction.context = asked.context
        if origin is not None or self._traced:
            self._note_origin(prediction, origin or _NOWHERE)
        if hook is not None:
            headers = {} if prediction.trace is None else dict(prediction.trace.headers)
            if prediction.request_id is not None:
                headers["X-Request-Id"] = prediction.request_id
            prediction.webhook = Webhook(self._webhooks, hook[0], hook[1], prediction.answer, headers)
        if cancel_after is not None:
            prediction.deadline = self._loop.call_later(cancel_after, self.cancel, prediction)
        self._live[asked.id] = prediction
        self._fire(prediction, Event.ACCEPTED_WITH_FILES if asked.places else Event.ACCEPTED)
        return prediction

    def _note_origin(self, prediction: Prediction, origin: Origin) -> None:
        prediction.request_id = origin.request_id
        prediction.trace = self._tracer.accept(origin, prediction.id, training=self._training)

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

    def worker_ready(self, lane: Lane, ready: messages.Ready) -> None:
        """Open a worker's slots."""
        lane.open(ready, self.limits.slots)
        self._look_ready()
        self._pump()

    def _look_ready(self) -> None:
        """See whether any worker takes predictions, and tell when that has changed."""
        ready = any(one.ready for one in self._lanes)
        self.slots = sum(one.slots for one in self._lanes if one.ready) or self.slots
        if ready is not self._ready:
            self._ready = ready
            if self.on_ready is not None:
                self.on_ready(ready)

    def worker_frame(self, lane: Lane, kind: int, tag: int, payload: bytes) -> None:
        """Turn a frame into a lifecycle event."""
        prediction = lane.running.get(tag)
        if prediction is None:
            return  # the end of something that was given up
        if kind == frames.SUCCEEDED:
            self._succeeded(lane, prediction, payload)
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
            lane.supervisor.drain()
            prediction.predict_time = failed.predict_time
            if prediction.error is None:
                prediction.error = failed.error
            self._fire(prediction, Event.FAILED)
        elif kind == frames.CANCELED:
            canceled: messages.Canceled = messages.decode(messages.Canceled, payload)
            lane.supervisor.drain()
            prediction.predict_time = canceled.predict_time
            self._fire(prediction, Event.CANCELED)
        else:
            raise ProtocolError(f"a frame of kind 0x{kind:02x} cannot speak of a prediction")

    def worker_outputs(self, lane: Lane, tag: int, payloads: list[bytes]) -> None:
        """Take what one prediction put out since the last read, at once when nothing in it is unusual."""
        prediction = lane.running.get(tag)
        if prediction is None:
            return
        texts = [payload[1:] for payload in payloads if payload[:1] == _PLAIN]
        size = prediction.output_size + sum(map(len, texts))
        if len(texts) < len(payloads) or not all(texts) or prediction.delivery or size > OUTPUT_LIMIT:
            for payload in payloads:
                self.worker_frame(lane, frames.OUTPUT, tag, payload)
            return
        prediction.streamed = True
        prediction.output_size = size
        self._add_outputs(prediction, texts)

    def worker_text(self, lane: Lane, source: str, text: str) -> None:
        """Give text to the prediction that wrote it, when that is certain; else it is the server's own log."""
        if len(lane.running) == 1:
            self._text(next(iter(lane.running.values())), source, text)
        elif self._on_log is not None:
            self._on_log(source, text)

    def worker_gone(self, lane: Lane, why: str, signal: int | None) -> None:
        """End what ran on the dead worker; what waits goes on waiting for another."""
        self._look_ready()
        for prediction in list(lane.running.values()):
            if prediction.error is None and prediction.state.value == "running":
                prediction.error, prediction.signal = why, signal
            self._fire(prediction, Event.DIED)

    def worker_lost(self, lane: Lane, why: str) -> None:  # noqa: ARG002 - the listener's own signature
        """End everything when no worker is left, nor will be."""
        self._look_ready()
        if not all(one.lost for one in self._lanes):
            return
        for prediction in list(self._live.values()):
            if prediction.error is None:
                prediction.error = why
            self._fire(prediction, Event.LOST)

    def _succeeded(self, lane: Lane, prediction: Prediction, payload: bytes) -> None:
        # What the model wrote is in the pipes by now (spec, "Order and logs").
        lane.supervisor.drain()
        prediction.predict_time, flags, raw = frames.split_success(payload)
        delivery = prediction.delivery
        if flags & frames.HAS_FILES:
            delivery = self._delivery(prediction)
            delivery.put(raw, has_files=True, final=True)
        elif raw:
            prediction.output = raw
        elif not prediction.streamed:
            ready = lane.supervisor.ready
            prediction.streamed = ready is not None and ready.iterator
        busy = delivery is not None and not delivery.idle
        self._fire(prediction, Event.SUCCEEDED_WITH_FILES if busy else Event.SUCCEEDED)

    def _output(self, prediction: Prediction, payload: bytes) -> None:
        flags, raw = frames.split_output(payload)
        prediction.streamed = True
        prediction.output_size += len(raw)
        delivery = prediction.delivery
        if not flags and delivery is None and prediction.output_size <= OUTPUT_LIMIT:
            self._add_output(prediction, raw)  # nearly all of them, so first
            return
        if prediction.output_size > OUTPUT_LIMIT:
            self._store_failed(prediction, f"The model put out more than {OUTPUT_LIMIT} bytes.")
            return
        if flags & frames.HAS_FILES or (delivery is not None and not delivery.idle):
            delivery = self._delivery(prediction)
            delivery.put(raw, has_files=bool(flags & frames.HAS_FILES))
        else:
            self._add_output(prediction, raw)

    def _text(self, prediction: Prediction, source: str, text: str) -> None:
        if self._on_log is not None:
            self._on_log(source, text)
        kept = prediction.add_log(text)
        if kept:
            self._fire(prediction, Event.LOG)
            prediction.emit(LOG, (source, kept))
            if prediction.webhook is not None:
                prediction.webhook.notify("logs")

    def _why_not_ready(self) -> str:
        supervisor = self.pool
        health = supervisor.health
        if health is Health.SETUP_FAILED:
            return f"The model's setup failed: {supervisor.failure}"
        if health is Health.DEFUNCT:
            return f"The model's process keeps dying: {supervisor.failure}"
        if supervisor.restarts:
            return "The model's process died and is being started again. Try again shortly."
        return "The model's setup() has not finished yet. Try again shortly."
