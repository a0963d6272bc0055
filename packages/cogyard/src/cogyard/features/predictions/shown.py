"""A prediction as it is shown while it runs: with what was streamed so far, written or not."""

from __future__ import annotations

from msgspec.structs import replace

from cogyard.domain.stream import gathered
from cogyard.domain.values import Prediction
from cogyard.features.predictions.live import Topic
from cogyard.features.predictions.ports import Record


def shown(record: Record, topic: Topic | None) -> Prediction:
    """Return the prediction of a record; `topic` has what is not written yet."""
    if record.ticket is None:
        return record.prediction
    outputs, logs = record.streamed.outputs, record.streamed.logs
    if topic is not None and (fresh := topic.since(record.streamed.last)):
        more = gathered(fresh)
        outputs, logs = (*outputs, *more.outputs), logs + more.logs
    return replace(record.prediction, output=list(outputs) or None, logs=logs)
