"""Examples in memory, for tests without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Prediction
from cogyard.features.examples.ports import Example
from cogyard.testing.paging import sliced
from cogyard.testing.predictions import MemoryPredictions


@dataclass
class MemoryExamples:
    """Keeps the promises of `cogyard.features.examples.ports.ExampleStore`; nothing survives it."""

    predictions: MemoryPredictions
    kept: dict[tuple[int, str], datetime | None] = field(default_factory=dict)
    """When an example was pinned, in the order in which they were added."""

    async def add(self, model_id: int, prediction_id: str, now: datetime, *, pinned: bool) -> None:
        """Make a prediction an example."""
        before = self.kept.get((model_id, prediction_id))
        self.kept[model_id, prediction_id] = now if pinned else before

    async def remove(self, model_id: int, prediction_id: str) -> bool:
        """Make it none."""
        if (model_id, prediction_id) not in self.kept:
            return False
        del self.kept[model_id, prediction_id]
        return True

    async def list(self, model_id: int, window: Window) -> Slice[Prediction]:
        """Return a model's examples, the one added last first."""
        places = {key[1]: place for place, key in enumerate(self.kept) if key[0] == model_id}
        found = [self.predictions.predictions[id_] for id_ in places]
        return sliced(found, window, lambda each: (places[each.id],))

    async def find(self, prediction_id: str) -> Example | None:
        """Return the example that a prediction is, or None."""
        for model_id, kept in self.kept:
            if kept == prediction_id:
                return Example(model_id=model_id, prediction=self.predictions.predictions[kept])
        return None

    async def defaults(self, model_ids: Sequence[int]) -> Mapping[int, Prediction]:
        """Return models' default examples."""
        found: dict[int, Prediction] = {}
        for model_id in model_ids:
            mine = {key[1]: pinned for key, pinned in self.kept.items() if key[0] == model_id}
            pinned = {id_: at for id_, at in mine.items() if at is not None}
            if mine:
                chosen = max(pinned, key=lambda id_: pinned[id_]) if pinned else next(iter(mine))
                found[model_id] = self.predictions.predictions[chosen]
        return found
