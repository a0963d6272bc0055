"""What watchers of a prediction are sent: events with rising numbers, the last always `done`. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cogyard.domain.values import Prediction, Status

Name = Literal["output", "logs", "error", "done"]


@dataclass(frozen=True, slots=True)
class Item:
    """What is in an event. `is_json` says that `data` is the JSON of an output that is no string."""

    name: Name
    data: str
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event; `id` counts from 1 within its prediction."""

    id: int
    item: Item

    @property
    def name(self) -> Name:
        """What kind of event it is."""
        return self.item.name

    @property
    def data(self) -> str:
        """Its text."""
        return self.item.data


@dataclass(frozen=True, kw_only=True, slots=True)
class Streamed:
    """All that was streamed so far, put together. `last` is the number of the last event, 0 when there is none."""

    outputs: tuple[Any, ...] = ()
    logs: str = ""
    last: int = 0


_REASONS = {Status.FAILED: "error", Status.CANCELED: "canceled", Status.ABORTED: "canceled"}
_DONE = Item("done", "{}")
_DONE_FOR = {status: Item("done", json.dumps({"reason": reason})) for status, reason in _REASONS.items()}


def output_item(value: Any) -> Item:
    """Return an output as an event: a string is itself, anything else its JSON."""
    if isinstance(value, str):
        return Item("output", value)
    return Item("output", json.dumps(value, ensure_ascii=False, separators=(",", ":")), is_json=True)


def numbered(first: int, items: Iterable[Item]) -> tuple[StreamEvent, ...]:
    """Number items from `first`."""
    return tuple(StreamEvent(first + place, item) for place, item in enumerate(items))


def gathered(events: Iterable[StreamEvent]) -> Streamed:
    """Put together what was streamed."""
    outputs: list[Any] = []
    logs: list[str] = []
    last = 0
    for event in events:
        last = event.id
        if event.name == "output":
            outputs.append(json.loads(event.data) if event.item.is_json else event.data)
        elif event.name == "logs":
            logs.append(event.data)
    return Streamed(outputs=tuple(outputs), logs="".join(logs), last=last)


def closing(prediction: Prediction, *, first: int, streamed: bool) -> tuple[StreamEvent, ...]:
    """Return the last events of a prediction that has ended, numbered from `first`.

    `streamed` says that its outputs have been sent; else they are sent here, whole.
    """
    items: list[Item] = []
    if prediction.status is Status.SUCCEEDED and not streamed and prediction.output is not None:
        items.append(output_item(prediction.output))
    if prediction.status is Status.FAILED:
        items.append(Item("error", json.dumps({"detail": prediction.error or "The prediction failed."})))
    items.append(_DONE_FOR.get(prediction.status, _DONE))
    return numbered(first, items)


def replay(prediction: Prediction) -> tuple[StreamEvent, ...]:
    """Return the events of a prediction that has ended and of whose stream nothing is kept: logs, output, end."""
    items = [Item("logs", prediction.logs)] if prediction.logs else []
    streamed = isinstance(prediction.output, list)
    if streamed:
        items += [output_item(chunk) for chunk in prediction.output]
    before = numbered(1, items)
    return before + closing(prediction, first=len(before) + 1, streamed=streamed)


def after(events: Sequence[StreamEvent], last: int) -> tuple[StreamEvent, ...]:
    """Return those that follow the event numbered `last`."""
    return tuple(event for event in events if event.id > last)
