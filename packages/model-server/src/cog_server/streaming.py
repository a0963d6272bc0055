"""One client's event stream, driven by what happens and by nothing else: no task, no timer for an event.

The first event after a pause leaves at once, in the middle of the turn of the event loop that brought it; whatever else
this turn brings leaves together in one write, and so on until a turn brings nothing. So a token is never late, and a
flood of them costs a few writes. The word alone that the model has begun waits a moment for what follows: a quick
prediction is one write, and one wake-up of its reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cog_server import sse
from cog_server.front.exchange import Exchange, Headers
from cog_server.prediction import Prediction

COMPANY_SECONDS = 0.005
"""How long the first event waits for others, unless it is the last."""


class EventStream:
    """Send events of a prediction until `completed`; `on_left` is called once, when nothing more will be sent."""

    def __init__(
        self,
        exchange: Exchange,
        prediction: Prediction,
        *,
        seen: int,
        headers: Headers,
        keep_alive: float,
        on_left: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._prediction = prediction
        self._seen = seen
        self._on_left = on_left
        self._pause = keep_alive
        self._loop = asyncio.get_running_loop()
        self._quiet: asyncio.TimerHandle | None = None
        self._wrote_at = self._loop.time()
        self._gathering = False
        self._held = False
        self._over = False
        exchange.begin(200, headers)
        exchange.on_gone = self._left
        prediction.taps.append(self._changed)
        if prediction.over or len(prediction.events) > seen + 1:
            self._write()
        if not self._over:
            self._quiet = self._loop.call_later(COMPANY_SECONDS, self._waited_for_company)

    def _changed(self) -> None:
        """Hear that there is an event."""
        if self._gathering:
            return
        self._gathering = True
        self._write()
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Send what the last turn gathered; stop gathering when that was nothing."""
        if self._over:
            return
        if self._seen < len(self._prediction.events):
            self._write()
            self._loop.call_soon(self._turn)
        else:
            self._gathering = False

    def _write(self) -> None:
        """Send all events that were not sent yet, unless the client still has to read what was."""
        if self._over or self._held:
            return
        paused = self._exchange.paused
        if paused is not None:
            self._held = True
            paused.add_done_callback(self._goes_on)
            return
        chunk, self._seen = sse.encode_from(self._prediction, self._seen)
        over = self._prediction.over
        if over:
            self._leave()
        if chunk or over:
            self._wrote_at = self._loop.time()
            self._exchange.push(chunk, more=not over)

    def _goes_on(self, _future: asyncio.Future[None]) -> None:
        self._held = False
        self._write()

    def _waited_for_company(self) -> None:
        self._write()
        if not self._over:
            self._quiet = self._loop.call_later(self._pause, self._nothing_happened)

    def _nothing_happened(self) -> None:
        """Say that the stream is alive when it has been quiet for long."""
        left = self._wrote_at + self._pause - self._loop.time()
        if left <= 0:
            left = self._pause
            if self._exchange.paused is None:
                self._exchange.push(sse.KEEP_ALIVE, more=True)
        self._quiet = self._loop.call_later(left, self._nothing_happened)

    def _left(self) -> None:
        """Hear that the client is gone."""
        if not self._over:
            self._leave()

    def _leave(self) -> None:
        self._over = True
        self._exchange.on_gone = None
        if self._quiet is not None:
            self._quiet.cancel()
        if self._changed in self._prediction.taps:
            self._prediction.taps.remove(self._changed)
        self._on_left()
