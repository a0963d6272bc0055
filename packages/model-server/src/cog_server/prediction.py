"""One prediction: what it was asked, what came out so far, and who waits for more.

Everything that a watcher may see is appended to `events`, in order; its index is the id of the event (from 1).
Watchers read the list at their own pace, so any number of them costs nothing while they wait and nobody's slowness
holds another up.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from mmap import mmap
from typing import TYPE_CHECKING, Any

import msgspec

from cog_server.lifecycle import TERMINAL, State, status

if TYPE_CHECKING:
    from cog_server.delivery import Delivery
    from cog_server.inputs.prepare import FilePlace
    from cog_server.tracing import Trace
    from cog_server.webhooks import Webhook
    from cog_server.workers.lane import Group, Lane

LOG_LIMIT = 8 << 20
"""Characters of logs that are kept of one prediction."""
_LARGE = 1 << 16
EVENTS_LIMIT = 1_000_000

START = "start"
OUTPUT = "output"
LOG = "log"
METRIC = "metric"
COMPLETED = "completed"

Event = tuple[str, Any]

_encode = msgspec.json.encode


class Answer(msgspec.Struct, kw_only=True):
    """The whole prediction, as the HTTP API shows it."""

    id: str
    input: msgspec.Raw
    output: msgspec.Raw
    logs: str
    error: str | None
    status: str
    metrics: dict[str, Any]
    created_at: str | None
    started_at: str | None
    completed_at: str | None
    version: str | None = None
    signal: int | msgspec.UnsetType = msgspec.UNSET
    """What killed the model's process, where a signal from outside did."""


class Prediction:
    """A prediction and its state; only the engine changes it."""

    __slots__ = (
        "completed_at",
        "context",
        "created_at",
        "created_given",
        "deadline",
        "delivery",
        "enders",
        "error",
        "events",
        "folder",
        "grace",
        "group",
        "hold_folder",
        "id",
        "input_raw",
        "keep_until",
        "lane",
        "log_size",
        "logs",
        "metrics",
        "more",
        "output",
        "output_size",
        "outputs",
        "own_id",
        "places",
        "predict_time",
        "prefix",
        "queued_at",
        "request_id",
        "shown_input",
        "signal",
        "started_at",
        "state",
        "streamed",
        "streamed_for_client",
        "tag",
        "taps",
        "task",
        "time_limit",
        "told",
        "trace",
        "value",
        "watchers",
        "webhook",
    )

    def __init__(
        self,
        *,
        id: str,
        value: Mapping[str, Any],
        input_raw: bytes | memoryview,
        shown_input: bytes | memoryview,
        created_at: float,
    ) -> None:
        self.id = id
        self.value: Mapping[str, Any] | None = value
        self.input_raw = input_raw
        self.shown_input = shown_input
        self.state = State.NEW
        self.tag = 0
        self.context: dict[str, str] = {}
        self.places: list[FilePlace] = []
        self.prefix: str | None = None
        self.created_at = created_at
        self.created_given: str | None = None
        self.started_at: float | None = None
        self.completed_at: float | None = None
        self.keep_until = 0.0
        self.logs: list[str] = []
        self.log_size = 0
        self.outputs: list[bytes] = []
        self.output_size = 0
        self.streamed = False
        self.streamed_for_client = False
        self.output: bytes | mmap = b"null"
        self.error: str | None = None
        self.signal: int | None = None
        self.metrics: dict[str, Any] = {}
        self.predict_time: float | None = None
        self.events: list[Event] = []
        self.watchers: list[asyncio.Future[None]] = []
        self.taps: list[Callable[[], None]] = []
        self.enders: list[Callable[[], None]] = []
        self.webhook: Webhook | None = None
        self.request_id: str | None = None
        self.trace: Trace | None = None
        self.delivery: Delivery | None = None
        self.task: asyncio.Task[None] | None = None
        self.grace: asyncio.TimerHandle | None = None
        self.deadline: asyncio.TimerHandle | None = None
        self.time_limit: asyncio.TimerHandle | None = None
        self.lane: Lane | None = None
        self.group: Group | None = None
        self.more = False
        """Whether others of the same batch are sent after it."""
        self.queued_at = 0.0
        self.own_id = False
        self.told = False
        """Whether the only client that knows its id has had the whole answer."""
        self.folder: str | None = None
        self.hold_folder = False

    @property
    def over(self) -> bool:
        """Whether it has reached its terminal state."""
        return self.state in TERMINAL

    @property
    def status(self) -> str:
        """The status that the HTTP API shows."""
        return status(self.state)

    @property
    def size(self) -> int:
        """Bytes that keeping it costs, about."""
        return (
            len(self.input_raw)
            + len(self.shown_input)
            + self.output_size
            + len(self.output)
            + self.log_size
            + 1024
        )

    def emit(self, name: str, data: Any = None) -> None:
        """Append an event and wake whoever waits for one."""
        if len(self.events) < EVENTS_LIMIT or name == COMPLETED:
            self.events.append((name, data))
        self._tell()
        if name == COMPLETED and self.enders:
            enders, self.enders = self.enders, []
            for ender in enders:
                ender()

    def put_out(self, texts: list[bytes]) -> None:
        """Append the JSON of values that an iterator yielded, and an event for each; then wake whoever waits."""
        first, room = len(self.outputs), EVENTS_LIMIT - len(self.events)
        self.outputs += texts
        self.events += [(OUTPUT, each) for each in enumerate(texts[: max(0, room)], first)]
        self._tell()

    def watch(self) -> asyncio.Future[None]:
        """Return a future that is done when something happens."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.watchers.append(future)
        return future

    def end(self) -> asyncio.Future[None]:
        """Return a future that is done when the prediction is over."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.over:
            future.set_result(None)
        else:
            self.enders.append(lambda: None if future.done() else future.set_result(None))
        return future

    def add_log(self, text: str) -> str:
        """Keep log text and return what was kept; beyond the limit it is dropped, with a note."""
        if self.log_size >= LOG_LIMIT:
            return ""
        self.log_size += len(text)
        if self.log_size >= LOG_LIMIT:
            fits = text[: len(text) - (self.log_size - LOG_LIMIT)]
            text = f"{fits}\n[more than {LOG_LIMIT} characters of logs: the rest is dropped]\n"
        self.logs.append(text)
        return text

    def _tell(self) -> None:
        if self.watchers:
            _wake(self.watchers)
        if self.taps:
            for tap in tuple(self.taps):
                tap()

    def all_logs(self) -> str:
        """Return all log text, as one string."""
        if len(self.logs) > 1:
            self.logs = ["".join(self.logs)]
        return self.logs[0] if self.logs else ""

    def output_raw(self) -> bytes | mmap:
        """Return the JSON of the output as it is now."""
        return b"[" + b",".join(self.outputs) + b"]" if self.streamed else self.output

    def answer(self) -> bytes:
        """Return the JSON of the whole prediction as it is now."""
        return self._answer(self.shown_input, self.output_raw())

    def answer_parts(self) -> list[bytes | memoryview | mmap]:
        """Return the same in parts, so that a large input or output is not copied once more."""
        output = self.output_raw()
        if len(self.shown_input) + len(output) < _LARGE:
            return [self._answer(self.shown_input, output)]
        # JSON never holds this byte, so it marks where the two belong.
        before, between, after = self._answer(b"\0", b"\0").split(b"\0")
        return [before, self.shown_input, between, output, after]

    def _answer(self, shown_input: bytes | memoryview, output: bytes | mmap) -> bytes:
        metrics = self.metrics
        if self.predict_time is not None:
            metrics = {**metrics, "predict_time": self.predict_time}
        return _encode(
            Answer(
                id=self.id,
                input=msgspec.Raw(shown_input),
                output=msgspec.Raw(output),
                logs=self.all_logs(),
                error=self.error,
                status=status(self.state),
                metrics=metrics,
                created_at=self.created_given or timestamp(self.created_at),
                started_at=timestamp(self.started_at),
                completed_at=timestamp(self.completed_at),
                signal=msgspec.UNSET if self.signal is None else self.signal,
            )
        )


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
    waiting.clear()


def timestamp(seconds: float | None) -> str | None:
    """Return seconds of the epoch as RFC 3339 in UTC, with microseconds."""
    if seconds is None:
        return None
    whole = int(seconds)
    # Most of a moment's text is the second's, which many predictions share.
    return f"{_second(whole)}.{int((seconds - whole) * 1e6):06d}+00:00"


@functools.lru_cache(maxsize=64)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, timezone.utc).replace(tzinfo=None).isoformat()
