"""Pass on what a prediction yields, at once when nothing is under way, else together with what came meanwhile.

Theory of operation: events arrive faster than reports are stored. One task for each prediction sends a report,
waits for it, and then sends everything that came since: no delay when idle, and larger batches the busier the store
is. Progress and the outcome stay in order because one task sends them all. The task begins with the first event, or
once the model has worked for a moment: a quick prediction that only has an outcome needs none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from cogyard.instances.waiting import end
from cogyard.instances.work import Claim, Outcome, Reports

_log = logging.getLogger("cogyard.instances")

#: What a model may print in one prediction, in characters. The rest is dropped, and the log says so.
MAX_LOG = 8 << 20
#: The start is reported on its own only when the model works longer than this, in seconds.
START_AFTER = 0.05
#: Waits between tries to store a report, in seconds.
_PAUSES = (0.1, 0.5, 2.0, 5.0, 15.0, 30.0)
_CUT = "\n[the rest of this log was dropped: it is longer than 8 Mi characters]\n"


class Reporter:
    """The reports of one claimed prediction."""

    def __init__(self, reports: Reports, claim: Claim) -> None:
        self._reports = reports
        self._id = claim.prediction.id
        self._token = claim.lease_token
        self._outputs: list[Any] = []
        self._logs: list[str] = []
        self._log_size = 0
        self._more = asyncio.Event()
        self._done = False
        self._pumping: asyncio.Task[None] | None = None
        self._begun = 0.0
        self._start: asyncio.TimerHandle | None = None
        self.streamed = False
        #: Set once the lease is known to be lost: then nothing more is sent.
        self.lost = asyncio.Event()

    def begin(self) -> None:
        """Take notice that the model is asked."""
        loop = asyncio.get_running_loop()
        self._begun = loop.time()
        self._start = loop.call_later(START_AFTER, self._pump_now)

    def hold(self) -> None:
        """Take notice that the model was asked in vain: nothing has started."""
        if self._start is not None:
            self._start.cancel()

    def output(self, chunk: Any) -> None:
        """Add a streamed output."""
        self.streamed = True
        self._outputs.append(chunk)
        self._more.set()
        self._pump_now()

    def log(self, text: str) -> None:
        """Add log text."""
        if self._log_size > MAX_LOG:
            return
        self._log_size += len(text)
        if self._log_size > MAX_LOG:
            text = text[: MAX_LOG - self._log_size] + _CUT
        self._logs.append(text)
        self._more.set()
        self._pump_now()

    def lose(self) -> None:
        """Take notice that the lease was lost."""
        self.lost.set()
        self._more.set()

    async def finish(self, outcome: Outcome) -> bool:
        """Send what is left and the outcome; False when the lease was lost."""
        self._done = True
        self.hold()
        if self._pumping is not None:
            self._more.set()
            await self._pumping
        if self.lost.is_set():
            return False
        return await self._insist(lambda: self._reports.finished(self._id, self._token, outcome))

    async def close(self) -> None:
        """Send nothing more."""
        self.hold()
        if self._pumping is not None:
            await end(self._pumping)

    def _pump_now(self) -> None:
        if self._pumping is None:
            self.hold()
            self._pumping = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        """Send until the outcome is there, or the lease is lost."""
        await self._send()
        # A model so quick that it is done already needs no word of its start: that would be one more commit.
        if not self._done and not await self._insist(self._report_start):
            self.lost.set()
        while not self.lost.is_set() and not self._finished():
            await self._more.wait()
            await self._send()

    def _report_start(self) -> Awaitable[bool]:
        ago = asyncio.get_running_loop().time() - self._begun
        return self._reports.started(self._id, self._token, ago=ago)

    def _finished(self) -> bool:
        return self._done and not self._outputs and not self._logs

    async def _send(self) -> None:
        self._more.clear()
        outputs, self._outputs = self._outputs, []
        logs, self._logs = "".join(self._logs), []
        if outputs or logs:
            report = partial(self._reports.progress, self._id, self._token, outputs=outputs, logs=logs)
            if not await self._insist(report):
                self.lost.set()

    async def _insist(self, report: Callable[[], Awaitable[bool]]) -> bool:
        """Report, again when the store fails: hours of a model's work must not be lost to a moment of a full disk.

        Raises what the store raised when it goes on failing.
        """
        for pause in _PAUSES:
            try:
                return await report()
            except Exception:  # noqa: BLE001 - whatever it was, the last try says it
                _log.exception("report_not_stored", extra={"prediction": self._id})
            await asyncio.sleep(pause)
        return await report()
