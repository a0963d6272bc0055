"""What happens to predictions right now, in this process: who runs them, who watches, who must be told.

Theory of operation. A topic is one prediction that somebody holds or watches. Streamed events get their numbers
here, reach watchers at once, and go to the store in batches; a topic remembers the unwritten ones and the last few
written ones, and a watcher that needs older ones reads them from the store. A watcher holds no buffer of its own, so
a slow one costs nothing. Topics that nobody holds or watches are forgotten: everything in them can be read again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from cogyard.domain.stream import Item, StreamEvent, after, numbered
from cogyard.domain.values import Prediction
from cogyard.features.predictions.limits import Spoken

# Written events that a topic remembers, so that watchers who keep up never read the store: so many, of so many
# characters together.
REMEMBERED = 1024
REMEMBERED_CHARS = 4 * 1024 * 1024


@dataclass(eq=False)
class Topic:
    """One prediction, live."""

    lease_token: str | None = None
    last: int = 0
    """The number of the last event."""
    recent: deque[StreamEvent] = field(default_factory=deque)
    """The last events without a gap; unwritten ones are never dropped."""
    unwritten: int = 0
    """How many of the last events are not in the store yet."""
    ended: Prediction | None = None
    prediction: Prediction | None = None
    """What is held, as it was when it was claimed."""
    watchers: int = 0
    spoken: Spoken = field(default_factory=Spoken)
    """What the present run has said."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    _wakes: set[asyncio.Future[bool]] = field(default_factory=set)

    def add(self, items: Sequence[Item]) -> None:
        """Number and remember new events, and wake watchers."""
        self.recent.extend(numbered(self.last + 1, items))
        self.last += len(items)
        self.unwritten += len(items)
        self.wake()

    def drain(self) -> tuple[StreamEvent, ...]:
        """Return the unwritten events and count them as written."""
        count, self.unwritten = self.unwritten, 0
        batch = tuple(self.recent)[-count:] if count else ()
        chars = sum(len(event.data) for event in self.recent)
        while self.recent and (len(self.recent) > REMEMBERED or chars > REMEMBERED_CHARS):
            chars -= len(self.recent.popleft().data)
        return batch

    def undrain(self, batch: Sequence[StreamEvent]) -> None:
        """Take back the events that `drain` gave: they could not be written."""
        while self.recent and self.recent[0].id <= batch[-1].id:
            self.recent.popleft()
        self.recent.extendleft(reversed(batch))
        self.unwritten += len(batch)

    def end(self, prediction: Prediction, events: Sequence[StreamEvent]) -> None:
        """Note the end, with the last events."""
        self.recent.extend(after(events, self.last))
        self.last = max(self.last, events[-1].id) if events else self.last
        self.ended, self.lease_token, self.unwritten = prediction, None, 0
        self.wake()

    def since(self, last: int) -> tuple[StreamEvent, ...] | None:
        """Return the events after number `last`; None when they are not all remembered here."""
        if last >= self.last:
            return ()
        if not self.recent or self.recent[0].id > last + 1:
            return None
        count = self.last - last
        if count <= len(self.recent) and self.recent[-count].id == last + 1:
            # Without a gap, as nearly always: taken from the end, however much is remembered.
            return tuple(self.recent[place] for place in range(-count, 0))
        return after(self.recent, last)

    def wake(self) -> None:
        """Wake whoever waits for something to happen."""
        for future in self._wakes:
            _tell(future, True)

    async def changed(self, timeout: float | None) -> bool:
        """Return True when something has happened, False after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._wakes.add(future)
        timer = None if timeout is None else loop.call_later(timeout, _tell, future, False)
        try:
            return await future
        finally:
            self._wakes.discard(future)
            if timer is not None:
                timer.cancel()


def _tell(future: asyncio.Future[bool], happened: bool) -> None:  # noqa: FBT001 - a timer's callback
    if not future.done():
        future.set_result(happened)


@dataclass(eq=False, slots=True)
class Watch:
    """Watches what is not written yet, so that whoever then waits for its end needs not look whether it has come."""

    _live: Live
    _begun: list[str] = field(default_factory=list)

    def begin(self, prediction_id: str) -> None:
        """Watch a prediction from now on; it must not be in the store yet."""
        self._live.enter(prediction_id)
        self._begun.append(prediction_id)

    def has_seen(self, prediction_id: str) -> bool:
        """Whether this was watched since before it was written."""
        return prediction_id in self._begun

    def __enter__(self) -> Self:
        """Watch what is begun within."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Watch no more."""
        while self._begun:
            self._live.leave(self._begun.pop())


@dataclass(eq=False, slots=True)
class Watched:
    """Holds one prediction's topic. A class, since each prediction is watched twice and a generator costs more."""

    _live: Live
    _id: str

    def __enter__(self) -> Topic:
        """Hold it."""
        return self._live.enter(self._id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it go."""
        self._live.leave(self._id)


@dataclass(eq=False)
class Live:
    """The topics of this process."""

    topics: dict[str, Topic] = field(default_factory=dict)

    def watch(self, prediction_id: str) -> Watched:
        """Hold a prediction's topic as long as somebody waits for it."""
        return Watched(self, prediction_id)

    def watching(self) -> Watch:
        """Watch what is begun within."""
        return Watch(self)

    def enter(self, prediction_id: str) -> Topic:
        """Count a watcher, until it leaves."""
        topic = self._topic(prediction_id)
        topic.watchers += 1
        return topic

    def leave(self, prediction_id: str) -> None:
        """Count a watcher out."""
        self.topics[prediction_id].watchers -= 1
        self._forget(prediction_id)

    def hold(self, prediction: Prediction, lease_token: str, last: int) -> Topic:
        """Note that an instance of this process holds a prediction; its next event is `last` + 1."""
        topic = self._topic(prediction.id)
        topic.lease_token = lease_token
        topic.prediction = prediction
        if topic.last < last:
            # What came before is in the store alone.
            topic.recent.clear()
            topic.last = last
        topic.spoken = Spoken()
        topic.stopped.clear()
        return topic

    def held(self, prediction_id: str, lease_token: str) -> Topic | None:
        """Return the topic when this lease holds it."""
        topic = self.topics.get(prediction_id)
        return topic if topic is not None and topic.lease_token == lease_token else None

    def end(self, prediction: Prediction, events: Sequence[StreamEvent]) -> None:
        """Note that a prediction has ended, and stop whoever runs it."""
        topic = self.topics.get(prediction.id)
        if topic is not None:
            topic.end(prediction, events)
            topic.stopped.set()
            self._forget(prediction.id)

    def release(self, prediction_id: str, last: int) -> None:
        """Note that a prediction waits again, `last` being its last event."""
        topic = self.topics.get(prediction_id)
        if topic is not None:
            topic.lease_token, topic.unwritten = None, 0
            topic.recent.clear()
            topic.last = max(topic.last, last)
            topic.stopped.set()
            topic.wake()
            self._forget(prediction_id)

    @property
    def dirty(self) -> list[tuple[str, Topic]]:
        """Topics with unwritten events."""
        return [(key, topic) for key, topic in self.topics.items() if topic.unwritten and topic.lease_token]

    def _topic(self, prediction_id: str) -> Topic:
        found = self.topics.get(prediction_id)
        if found is None:
            found = self.topics[prediction_id] = Topic()
        return found

    def _forget(self, prediction_id: str) -> None:
        topic = self.topics.get(prediction_id)
        if topic is not None and not topic.watchers and topic.lease_token is None:
            del self.topics[prediction_id]
