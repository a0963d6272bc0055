"""What a prediction's card says: its output as a view, its times, its words while it waits. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from cogyard.domain.fileref import SCHEME
from cogyard.domain.values import Kind, Prediction
from cogyard.web import forms, outputs

#: Seconds after which waiting is explained; a warm instance has begun before.
EXPLAIN_AFTER = 2.0

HIDDEN = "•••••"

_TIMES = frozenset({"predict_time", "total_time"})
LONGEST_METRIC = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """All that the template needs beyond the prediction."""

    output: outputs.View
    streams_text: bool
    timings: tuple[tuple[str, str], ...]
    waited: float
    waiting: str
    made: str = ""
    """Of a training that made a version: `owner/name:id`."""

    @property
    def explains(self) -> bool:
        """Whether the wait is long enough to be explained."""
        return self.waited >= EXPLAIN_AFTER


def card(
    prediction: Prediction, document: Mapping[str, Any], *, shown_output: Any, base: str, now: datetime
) -> Card:
    """Describe a prediction. `shown_output` is its output with addresses in place of our file references."""
    schema = forms.output_schema(document)
    waited = max(0.0, (now - prediction.created_at).total_seconds())
    return Card(
        output=outputs.view(shown_output, schema, base=base),
        streams_text=outputs.streams_text(schema),
        timings=timings(prediction),
        waited=waited,
        waiting="Queued" if waited < EXPLAIN_AFTER else "Waiting for an instance",
        made=made_version(prediction),
    )


def made_version(prediction: Prediction) -> str:
    """Return the version that a training made, `owner/name:id`, empty when it made none."""
    output = prediction.output
    if prediction.kind is not Kind.TRAINING or not isinstance(output, Mapping):
        return ""
    found = output.get("version")
    return found if isinstance(found, str) and found.startswith(f"{prediction.destination}:") else ""


def timings(prediction: Prediction) -> tuple[tuple[str, str], ...]:
    """Return (label, duration) of what is known: time in the queue, time running, time in all."""
    found: list[tuple[str, str]] = []
    created, started, completed = prediction.created_at, prediction.started_at, prediction.completed_at
    ran = prediction.metrics.get("predict_time")
    whole = None if completed is None else (completed - created).total_seconds()
    if started is not None:
        queued = (started - created).total_seconds()
        if whole is not None and isinstance(ran, int | float):
            # The start is noted when the news of it arrives, a moment late: the parts are no more than the whole.
            queued = min(queued, whole - ran)
        found.append(("queued", seconds(queued)))
    if isinstance(ran, int | float):
        found.append(("ran", seconds(ran)))
    if whole is not None:
        found.append(("in all", seconds(whole)))
    return tuple(found)


def measured(prediction: Prediction, *, limit: int = 50) -> tuple[tuple[str, str], ...]:
    """Return (name, value) of what the model measured itself, beyond the times that every card says."""
    own = {name: value for name, value in prediction.metrics.items() if name not in _TIMES}
    return tuple((name[:100], _short(value)) for name, value in list(own.items())[:limit])


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_METRIC else text[: LONGEST_METRIC - 1] + "…"


def run_time(prediction: Prediction) -> str:
    """Return how long the model ran, empty while that is unknown."""
    value = prediction.metrics.get("predict_time")
    return seconds(value) if isinstance(value, int | float) else ""


def seconds(value: float) -> str:
    """Write a duration in seconds for people: `12 ms`, `3.2 s`, `4 min 5 s`."""
    value = max(0.0, value)
    if value < 1:
        return f"{round(value * 1000)} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def ago(moment: datetime, now: datetime) -> str:
    """Write how long ago a moment was."""
    past = (now - moment).total_seconds()
    if past < 45:
        return "just now"
    for size, word in (
        (60, "minute"),
        (3600, "hour"),
        (86400, "day"),
        (86400 * 30, "month"),
        (86400 * 365, "year"),
    ):
        limit = {"minute": 3600, "hour": 86400, "day": 86400 * 30, "month": 86400 * 365}.get(word)
        if limit is None or past < limit - size / 2:
            count = max(1, round(past / size))
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return ""


def soon(moment: datetime, now: datetime) -> str:
    """Write how far ahead a moment is: `in 4 min 5 s`, or `now` when it is not."""
    left = (moment - now).total_seconds()
    if left >= 2 * 86400:
        return f"in {round(left / 86400)} days"
    return f"in {seconds(left)}" if left >= 1 else "now"


def size(count: int) -> str:
    """Write a number of bytes for people, in powers of 1000."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.3g} {unit}"
        value /= 1000
    return ""


def brief(prediction: Prediction, *, limit: int = 90) -> str:
    """Return an input in one short line: the values that say most, without addresses and secrets."""
    words = []
    for key, value in prediction.input.items():
        if key in prediction.secret_inputs:
            continue
        if isinstance(value, str):
            is_file = value.startswith(SCHEME) or outputs.is_file_address(value)
            short = unquote(value[value.rfind("/") + 1 :]) if is_file else value
            words.append(
                " ".join(short[: limit * 2].split()) if not value.startswith("data:") else f"{key}: data"
            )
        elif value is not None:
            words.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    text = " · ".join(word for word in words if word)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown_input(prediction: Prediction) -> dict[str, Any]:
    """Return the input as its page may show it: secrets hidden."""
    secret = set(prediction.secret_inputs)
    return {key: HIDDEN if key in secret and value else value for key, value in prediction.input.items()}
