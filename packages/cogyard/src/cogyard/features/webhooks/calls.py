"""What was told by webhook, for whoever is told: every try with its answer, and telling once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cogyard.domain.ids import CAPABILITY_RANDOM_BYTES, new_capability
from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Account, Prediction
from cogyard.domain.webhooks import OWN, events_problem
from cogyard.features.predictions import policy
from cogyard.features.predictions.service import Predictions
from cogyard.features.webhooks.endpoints import Endpoints
from cogyard.features.webhooks.ports import Delivery, DeliveryLog, Letter, NothingWaits, WaitingLetters
from cogyard.features.world import World
from cogyard.http.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

#: Of what waits to be told, that is shown at once.
WAITING_LIMIT = 50


def _silence() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class WebhookCalls:
    """An account sees what was told of its own predictions."""

    log: DeliveryLog
    predictions: Predictions
    endpoints: Endpoints
    world: World = field(default_factory=World)
    ring: Callable[[], None] = _silence
    """Called when there is something to tell."""
    letters: WaitingLetters = field(default_factory=NothingWaits)

    async def list(
        self,
        caller: Account,
        window: Window,
        *,
        prediction_id: str | None = None,
        endpoint: str | None = None,
    ) -> Slice[Delivery]:
        """Return the caller's tries of the last week, newest first; those to one endpoint also when it is gone.

        Of a prediction of an organization every member sees them.
        """
        account_id = await self._told(caller, prediction_id)
        return await self.log.deliveries(account_id, window, prediction_id=prediction_id, endpoint=endpoint)

    async def waiting(self, caller: Account, *, prediction_id: str | None = None) -> tuple[Letter, ...]:
        """Return what is still to be told of the caller's predictions, the soonest due first."""
        account_id = await self._told(caller, prediction_id)
        return await self.letters.waiting(account_id, WAITING_LIMIT, prediction_id=prediction_id)

    async def replay(
        self, caller: Account, prediction_id: str, event: str, endpoint: str | None = None
    ) -> Letter:
        """Tell an event once more, as things are now, with the `webhook-id` that it had.

        It is told to an endpoint of whom the prediction belongs to, or to the prediction's own webhook. Raises
        NotFoundError, ForbiddenError for an organization's reader, InvalidError, and ConflictError for what is waiting
        to be told, has not happened, or has nobody to hear it.
        """
        if (what := events_problem([event])) is not None:
            raise InvalidError(f"event: {what}", problems=[("event", what)])
        prediction = await self.predictions.get(caller, prediction_id)
        if not policy.may_change(caller, prediction):
            raise ForbiddenError(
                "As a reader of the organization you may not call its webhooks; a writer may."
            )
        await self._require_receiver(prediction, endpoint)
        if event == "completed" and not prediction.status.terminal:
            raise ConflictError("This prediction has not ended yet.")
        letter = Letter(
            rank=0,
            message_id=await self._message_id(prediction, event, endpoint or OWN),
            prediction_id=prediction.id,
            event=event,
            attempts=0,
            due_at=self.world.now(),
            endpoint=endpoint or OWN,
        )
        if not await self.log.again(letter):
            raise ConflictError(f"The event {event} is waiting to be told already.")
        self.ring()
        return letter

    async def _told(self, caller: Account, prediction_id: str | None) -> int:
        """Return whose tries are meant: a prediction's account's, when the caller may see it; else the caller's own."""
        if prediction_id is None:
            return caller.id
        try:
            return (await self.predictions.get(caller, prediction_id)).account_id
        except NotFoundError:
            # It may be deleted; what was told of it is still the caller's.
            return caller.id

    async def _require_receiver(self, prediction: Prediction, endpoint: str | None) -> None:
        if endpoint is None:
            if prediction.webhook is None:
                raise ConflictError("This prediction has no webhook; name an endpoint.")
            return
        # Those of whom the prediction belongs to: nobody sends an organization's to a place of their own.
        listed = await self.endpoints.of(prediction.account_id)
        found = next((each for each in listed if each.id == endpoint), None)
        if found is None:
            what = f"there is no endpoint {endpoint[:40]!r} of the account that the prediction belongs to"
            raise InvalidError(f"endpoint: {what}", problems=[("endpoint", what)])
        if not found.enabled:
            raise ConflictError(f"The endpoint is disabled. {found.disabled_reason or ''}".strip())

    async def _message_id(self, prediction: Prediction, event: str, endpoint: str) -> str:
        """Return the id under which the event was told, so that its receiver knows it; else a new one."""
        told = await self.log.deliveries(
            prediction.account_id, Window(limit=100), prediction_id=prediction.id, endpoint=endpoint
        )
        known = next((each.message_id for each in told.items if each.event == event), None)
        fresh = f"msg_{new_capability(self.world.random(CAPABILITY_RANDOM_BYTES))}"
        return known or "-".join(part for part in (fresh, endpoint, event) if part)
