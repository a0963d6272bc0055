"""What was told to webhooks, and what is still to be told."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from replicate._flow import Flow, asynchronous, blocking
from replicate.pagination import Page
from replicate.predictions import page_of
from replicate.resource import Namespace, Resource, ask

_PATH = "/webhooks/deliveries"


@dataclass(kw_only=True)
class _Told(Resource):
    """An event of a prediction for a receiver; `id` is the `webhook-id` that it sees."""

    id: str
    prediction: str
    event: str
    endpoint: str | None = None


@dataclass(kw_only=True)
class Delivery(_Told):
    """One try; `id` is the `webhook-id` that its receiver saw."""

    attempt: int = 1
    created_at: str = ""
    status: int | None = None
    error: str | None = None
    milliseconds: int = 0


@dataclass(kw_only=True)
class PendingDelivery(_Told):
    """An event that is still to be told, after `attempts` tries in vain, not before `due_at`."""

    attempts: int = 0
    due_at: str = ""


class WebhookDeliveries(Namespace):
    """Operations on deliveries; not in the hosted service's API."""

    def _list(
        self, cursor: str | None = None, *, prediction: str | None = None, endpoint: str | None = None
    ) -> Flow[Page[Delivery]]:
        """Return a page of the last week's tries, newest first, of one prediction or to one endpoint."""
        path = _path(_PATH, prediction=prediction, endpoint=endpoint)
        return page_of(Delivery, self._client, (yield from ask("GET", cursor or path)))

    def _pending(self, *, prediction: str | None = None) -> Flow[list[PendingDelivery]]:
        """Return what is still to be told, the soonest due first."""
        page = yield from ask("GET", _path(f"{_PATH}/pending", prediction=prediction))
        return [PendingDelivery.from_json(self._client, item) for item in page["results"]]

    pending, async_pending = blocking(_pending), asynchronous(_pending)
    list, async_list = blocking(_list), asynchronous(_list)


def _path(path: str, **query: str | None) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
