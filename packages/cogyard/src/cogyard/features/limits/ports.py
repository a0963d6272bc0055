"""What limits ask of whoever keeps models and predictions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

MINUTE = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLimits:
    """How much of a model may be asked for, by all accounts together; None is no limit."""

    predictions: int | None = None
    window: int = MINUTE
    """The seconds in which `predictions` may be asked for."""
    at_once: int | None = None
    """How many may wait or run."""

    @property
    def unlimited(self) -> bool:
        """Whether nothing is limited."""
        return self.predictions is None and self.at_once is None


NO_LIMITS = ModelLimits()


class LimitStore(Protocol):
    """Keeps limits, and knows what waits or runs."""

    async def limits(self) -> Mapping[str, ModelLimits]:
        """Return those of each model that has some, by `owner/name`."""
        ...

    async def set(self, model_id: int, limits: ModelLimits) -> bool:
        """Keep a model's limits; False when it is gone."""
        ...

    async def asked(self, model: str, since: datetime, most: int) -> int:
        """Return how many predictions of a model were asked for since then, counting no further than `most`."""
        ...

    async def unended(self, model: str) -> tuple[str, ...]:
        """Return the predictions of a model that wait or run."""
        ...

    async def still_unended(self, ids: Collection[str]) -> frozenset[str]:
        """Return those of these predictions that wait or run."""
        ...
