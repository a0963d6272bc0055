"""The queue as instances of trainings see it: a training that succeeds has made its version before it says so.

Theory of operation. An instance reports an output while it still holds the lease and goes on renewing it, so making
an image may take its time. If the platform is killed in the middle, the training fares as any run that was lost; the
version that was made is named by its content and is no trouble.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cogyard.domain.deployables import is_training
from cogyard.domain.values import Prediction
from cogyard.features.predictions.queue import Claim, Outcome, Queue
from cogyard.features.trainings.output import shown, weights_of
from cogyard.features.trainings.ports import CannotMakeVersionError, VersionMaker

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a training ends: an Outcome."""

    status: str
    output: Any = None
    streamed: bool = False
    error: str | None = None
    metrics: Any = None
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainingWork:
    """A work source and reports over the queue; everything but trainings passes as it is."""

    queue: Queue
    maker: VersionMaker
    _held: dict[str, Prediction] = field(default_factory=dict)
    """Claimed trainings by their lease."""

    async def claim(self, deployable: str, *, instance: str) -> Claim | None:
        """Take the oldest waiting prediction or training."""
        claims = await self.claim_some(deployable, instance=instance, most=1)
        return claims[0] if claims else None

    async def claim_some(self, deployable: str, *, instance: str, most: int) -> Sequence[Claim]:
        """Take the oldest waiting predictions or trainings."""
        claims = await self.queue.claim_some(deployable, instance=instance, most=most)
        if is_training(deployable):
            self._held.update((claim.lease_token, claim.prediction) for claim in claims)
        return claims

    async def wait_for_work(self, deployable: str, *, timeout: float) -> None:
        """Return when there may be work."""
        await self.queue.wait_for_work(deployable, timeout=timeout)

    async def renew(self, prediction_id: str, lease_token: str) -> bool:
        """Extend the lease."""
        held = await self.queue.renew(prediction_id, lease_token)
        if not held:
            self._held.pop(lease_token, None)
        return held

    async def give_back(self, prediction_id: str, lease_token: str) -> bool:
        """Let what was claimed and not begun wait again."""
        self._held.pop(lease_token, None)
        return await self.queue.give_back(prediction_id, lease_token)

    async def started(self, prediction_id: str, lease_token: str, *, ago: float = 0.0) -> bool:
        """Note that the model has begun."""
        return await self.queue.started(prediction_id, lease_token, ago=ago)

    async def progress(
        self, prediction_id: str, lease_token: str, *, outputs: Sequence[Any] = (), logs: str = ""
    ) -> bool:
        """Add streamed outputs and log text."""
        return await self.queue.progress(prediction_id, lease_token, outputs=outputs, logs=logs)

    async def finished(self, prediction_id: str, lease_token: str, outcome: Outcome) -> bool:
        """End the run; of a training that succeeded, make the version first."""
        training = self._held.get(lease_token)
        if training is not None and outcome.status == "succeeded":
            outcome = await self._made(training, outcome)
        kept = await self.queue.finished(prediction_id, lease_token, outcome)
        self._held.pop(lease_token, None)
        return kept

    async def _made(self, training: Prediction, outcome: Outcome) -> Outcome:
        ended = Ended(status=outcome.status, metrics=outcome.metrics)
        try:
            if outcome.streamed:
                # The stream has gone to watchers; what a training is for is one result.
                raise CannotMakeVersionError("train() must return its weights, not yield them.")  # noqa: TRY301
            weights = weights_of(outcome.output)
            version = await self.maker.make(training, weights)
        except CannotMakeVersionError as error:
            return replace(ended, status="failed", error=str(error))
        _log.info("version trained", extra={"action": "version_trained", "training": training.id})
        return replace(ended, output=shown(outcome.output, weights, f"{training.destination}:{version.id}"))
