"""Predictions of a platform without instances, and a clock that a test moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cogyard.domain.values import Prediction, Version
from cogyard.testing.api import ApiPlatform


@dataclass
class Clock:
    """A clock that a test moves, and the seconds that pass with it."""

    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    slept: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.moment

    def elapsed(self) -> float:
        """Return the seconds that the machine was awake."""
        return (self.moment - self.slept).timestamp()

    def sleep(self, time: timedelta) -> None:
        """Let the machine sleep."""
        self.moment += time
        self.slept += time


async def ask(
    platform: ApiPlatform, text: str = "x", version: Version | None = None, **more: float
) -> Prediction:
    """Ask for a prediction of the owner's."""
    return await platform.services.predictions.create(
        platform.accounts["owner"],
        version=version or platform.version,
        input={"text": text},
        cancel_after=more.get("cancel_after"),
    )


async def now(platform: ApiPlatform, prediction: Prediction) -> Prediction:
    """Return a prediction as it is kept now."""
    return await platform.services.predictions.get(platform.accounts["owner"], prediction.id)
