"""What the examples service asks of whoever keeps examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Prediction


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A prediction, and the model that it is an example of."""

    model_id: int
    prediction: Prediction


class ExampleStore(Protocol):
    """Keeps which predictions are examples of which model. The one pinned last, else the oldest, is the default."""

    async def add(self, model_id: int, prediction_id: str, now: datetime, *, pinned: bool) -> None:
        """Make a prediction an example; again changes nothing, except that it may be pinned."""
        ...

    async def remove(self, model_id: int, prediction_id: str) -> bool:
        """Make it none; False when it is none."""
        ...

    async def list(self, model_id: int, window: Window) -> Slice[Prediction]:
        """Return a model's examples, the one added last first."""
        ...

    async def find(self, prediction_id: str) -> Example | None:
        """Return the example that a prediction is, or None."""
        ...

    async def defaults(self, model_ids: Sequence[int]) -> Mapping[int, Prediction]:
        """Return models' default examples, by the model's id."""
        ...
