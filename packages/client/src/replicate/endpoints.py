"""Webhook endpoints: where an account is told of all its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from replicate._flow import Answer, Call, Flow, asynchronous, blocking
from replicate.resource import Namespace, Resource, ask

_PATH = "/webhooks/endpoints"


@dataclass(kw_only=True)
class WebhookEndpoint(Resource):
    """One endpoint. `key`, what its deliveries are signed with, is known only to who made it, when it was made."""

    id: str
    url: str
    events: list[str] = field(default_factory=list)
    model: str | None = None
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: str | None = None
    created_at: str = ""
    key: str | None = field(default=None, repr=False)


class WebhookEndpoints(Namespace):
    """Operations on webhook endpoints; not in the hosted service's API."""

    def _create(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        model: str | None = None,
        enabled: bool = True,
    ) -> Flow[WebhookEndpoint]:
        """Make an endpoint that hears `events` of predictions (of one model, "owner/name"); keep its `key`."""
        body: dict[str, Any] = {"url": url, "enabled": enabled}
        if events is not None:
            body["events"] = [*events]
        if model is not None:
            body["model"] = model
        return WebhookEndpoint.from_json(self._client, (yield from ask("POST", _PATH, json=body)))

    def _list(self) -> Flow[list[WebhookEndpoint]]:
        """Return the account's endpoints, the oldest first."""
        page = yield from ask("GET", _PATH)
        return [WebhookEndpoint.from_json(self._client, item) for item in page["results"]]

    def _get(self, id: str) -> Flow[WebhookEndpoint]:
        """Return an endpoint."""
        return WebhookEndpoint.from_json(self._client, (yield from ask("GET", f"{_PATH}/{id}")))

    def _update(self, /, id: str, **changes: Any) -> Flow[WebhookEndpoint]:
        """Change `url`, `events`, `model` (None is any) or `enabled`; what is not given stays."""
        body = yield from ask("PATCH", f"{_PATH}/{id}", json=changes)
        return WebhookEndpoint.from_json(self._client, body)

    def _delete(self, id: str) -> Flow[bool]:
        """Delete an endpoint; return whether it was there to delete."""
        answer: Answer = yield Call("DELETE", f"{_PATH}/{id}")
        return answer.status == 204

    def _rotate(self, id: str) -> Flow[str]:
        """Give an endpoint a new key and return it; the one before signs beside it for a day."""
        return str((yield from ask("POST", f"{_PATH}/{id}/secret/rotate"))["key"])

    create, async_create = blocking(_create), asynchronous(_create)
    list, async_list = blocking(_list), asynchronous(_list)
    get, async_get = blocking(_get), asynchronous(_get)
    update, async_update = blocking(_update), asynchronous(_update)
    delete, async_delete = blocking(_delete), asynchronous(_delete)
    rotate, async_rotate = blocking(_rotate), asynchronous(_rotate)
