"""What was told by webhook as a page shows it: every try, what waits, and what can be told once more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from cogyard.domain.paging import Window
from cogyard.domain.values import Account, Prediction
from cogyard.domain.webhooks import OWN
from cogyard.features.predictions.policy import may_change
from cogyard.features.services import Services
from cogyard.features.webhooks.ports import Delivery, Letter, WebhookEndpoint
from cogyard.http.errors import NotFoundError

#: Tries that a prediction's page shows; the account's page has all of them.
SHOWN = 50
_END = "completed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Tries and what waits, with the addresses they go to."""

    tries: Sequence[Delivery] = ()
    waiting: Sequence[Letter] = ()
    targets: Mapping[str, str] = field(default_factory=dict)
    """By an endpoint's id, and by a prediction's id for its own webhook; what is gone is not among them."""
    receivers: Sequence[str] = ()
    """Endpoints (`OWN` for the prediction's own webhook) that its end may be told to."""
    again: Collection[str] = ()
    """Those of them that it was told to already, as far as anybody knows: one that was made later has never heard."""

    @property
    def any(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.tries or self.waiting or self.receivers)


async def told_of(services: Services, account: Account, prediction: Prediction) -> Told:
    """Return what was told of a prediction of the caller's, and what still will be."""
    found = await services.calls.list(account, Window(limit=SHOWN), prediction_id=prediction.id)
    endpoints = await services.endpoints.of(prediction.account_id)
    targets = {each.id: each.url for each in endpoints}
    if prediction.webhook:
        targets[prediction.id] = prediction.webhook
    own = [OWN] if prediction.webhook else []
    hear = [each.id for each in endpoints if each.enabled and each.model in {None, prediction.model}]
    waiting = await services.calls.waiting(account, prediction_id=prediction.id)
    return Told(
        tries=found.items,
        waiting=waiting,
        targets=targets,
        receivers=[*own, *hear] if prediction.status.terminal and may_change(account, prediction) else [],
        again=_told_its_end(prediction, endpoints, [*found.items, *waiting]),
    )


def _told_its_end(
    prediction: Prediction, endpoints: Sequence[WebhookEndpoint], told: Sequence[Delivery | Letter]
) -> frozenset[str]:
    """Return who has a try or one to come, and who was there to hear of it: tries are kept for a week only."""
    known = {one.endpoint for one in told if one.event == _END}
    if _END in prediction.webhook_events:
        known.add(OWN)
    ended = prediction.completed_at
    there = {
        each.id
        for each in endpoints
        if ended is not None and each.created_at <= ended and _END in each.events
    }
    return frozenset(known | there)


async def targets_of(
    services: Services, account: Account, told: Sequence[Delivery | Letter]
) -> Mapping[str, str]:
    """Return where tries and letters go, as `Told.targets` has it."""
    targets = {each.id: each.url for each in await services.endpoints.list(account)}
    for prediction_id in {one.prediction_id for one in told if one.endpoint == OWN}:
        try:
            prediction = await services.predictions.get(account, prediction_id)
        except NotFoundError:
            continue
        if prediction.webhook:
            targets[prediction_id] = prediction.webhook
    return targets
