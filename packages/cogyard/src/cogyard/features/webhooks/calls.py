"""What was told by webhook, for whoever is told: every try with its answer, and telling once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cogyard.domain.ids import CAPABILITY_RANDOM_BYTES, new_capability
from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Account, Prediction
from cogyard.domain.webhooks import EVENTS
from cogyard.features.predictions.service import Predictions
from cogyard.features.webhooks.ports import Delivery, DeliveryLog, Letter
from cogyard.features.world import World
from cogyard.http.errors import ConflictError, InvalidError


def _silence() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class WebhookCalls:
    """An account sees what was told of its own predictions."""

    log: DeliveryLog
    predictions: Predictions
    world: World = field(default_factory=World)
    ring: Callable[[], None] = _silence
    """Called when there is something to tell."""

    async def list(
        self, caller: Account, window: Window, *, prediction_id: str | None = None
    ) -> Slice[Delivery]:
        """Return the caller's tries of the last week, newest first."""
        return await self.log.deliveries(caller.id, window, prediction_id=prediction_id)

    async def replay(self, caller: Account, prediction_id: str, event: str) -> Letter:
        """Tell an event once more, as things are now, with the `webhook-id` that it had.

        Raises NotFoundError, InvalidError, and ConflictError for what is waiting to be told, or has not happened.
        """
        if event not in EVENTS:
            what = f"{event[:40]!r} is no event; there are {', '.join(EVENTS)}."
            raise InvalidError(f"event: {what}", problems=[("event", what)])
        prediction = await self.predictions.get(caller, prediction_id)
        if prediction.webhook is None:
            raise ConflictError("This prediction has no webhook.")
        if event == "completed" and not prediction.status.terminal:
            raise ConflictError("This prediction has not ended yet.")
        letter = Letter(
            rank=0,
            message_id=await self._message_id(caller, prediction, event),
            prediction_id=prediction.id,
            event=event,
            attempts=0,
            due_at=self.world.now(),
        )
        if not await self.log.again(letter):
            raise ConflictError(f"The event {event} is waiting to be told already.")
        self.ring()
        return letter

    async def _message_id(self, caller: Account, prediction: Prediction, event: str) -> str:
        """Return the id under which the event was told, so that its receiver knows it; else a new one."""
        told = await self.log.deliveries(caller.id, Window(limit=100), prediction_id=prediction.id)
        known = next((each.message_id for each in told.items if each.event == event), None)
        return known or f"msg_{new_capability(self.world.random(CAPABILITY_RANDOM_BYTES))}-{event}"
