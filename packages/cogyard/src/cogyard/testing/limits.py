"""Limits of models in memory, over the other stores in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cogyard.features.limits.ports import ModelLimits
from cogyard.testing.models import MemoryModels
from cogyard.testing.predictions import MemoryPredictions


@dataclass
class MemoryLimits:
    """Keeps the promises of `cogyard.features.limits.ports.LimitStore`; nothing survives it."""

    models: MemoryModels
    predictions: MemoryPredictions
    made: dict[int, ModelLimits] = field(default_factory=dict)

    async def limits(self) -> Mapping[str, ModelLimits]:
        """Return those of each model that has some."""
        known = self.models.models
        return {
            known[id_].path: limits
            for id_, limits in self.made.items()
            if id_ in known and not limits.unlimited
        }

    async def set(self, model_id: int, limits: ModelLimits) -> bool:
        """Keep a model's limits."""
        if model_id not in self.models.models:
            return False
        self.made[model_id] = limits
        return True

    async def asked(self, model: str, since: datetime, most: int) -> int:
        """Return how many predictions of a model were asked for since then."""
        found = [each for each in self.predictions.predictions.values() if each.model == model]
        return min(sum(each.created_at >= since for each in found), most)

    async def unended(self, model: str) -> tuple[str, ...]:
        """Return the predictions of a model that wait or run."""
        found = self.predictions
        return tuple(id_ for id_ in found.tickets if found.predictions[id_].model == model)

    async def still_unended(self, ids: Collection[str]) -> frozenset[str]:
        """Return those that wait or run."""
        return frozenset(self.predictions.tickets.keys() & ids)
