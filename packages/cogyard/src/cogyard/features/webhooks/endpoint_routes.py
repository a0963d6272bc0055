"""The webhook endpoints API."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.roles import Role
from cogyard.features.page import services_of
from cogyard.features.webhooks.endpoints import Wanted
from cogyard.features.webhooks.ports import WebhookEndpoint
from cogyard.http.bodies import read_json
from cogyard.http.caller import require_account
from cogyard.http.concerns import concerns
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.moments import written

BODY_LIMIT = 10_000


class NewEndpoint(msgspec.Struct):
    """The body of webhooks.endpoints.create. Without `events` it hears of new outputs and ends."""

    url: str
    events: list[str] | None = None
    model: str | None = None
    enabled: bool = True


class EndpointChanges(msgspec.Struct, omit_defaults=True):
    """The body of webhooks.endpoints.update; what is not given stays. `model: null` is any model."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    events: list[str] | msgspec.UnsetType = msgspec.UNSET
    model: str | msgspec.UnsetType | None = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET


def endpoint_json(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Shape an endpoint without its secret."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "model": endpoint.model,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": written(endpoint.failing_since),
        "created_at": written(endpoint.created_at),
    }


async def listing(request: Request) -> Response:
    """List the caller's endpoints, the oldest first."""
    found = await services_of(request).endpoints.list(require_account(request))
    return reply({"next": None, "previous": None, "results": [endpoint_json(each) for each in found]})


async def create(request: Request) -> Response:
    """Make an endpoint; its secret is in this answer and never again."""
    body = await read_json(request, NewEndpoint, limit=BODY_LIMIT)
    made = await services_of(request).endpoints.create(
        require_account(request),
        Wanted(url=body.url, events=body.events, model=body.model, enabled=body.enabled),
    )
    concerns(request, made.id)
    return reply({**endpoint_json(made), "key": made.secret}, 201)


async def get(request: Request) -> Response:
    """Return an endpoint."""
    found = await services_of(request).endpoints.get(require_account(request), request.path_params["id"])
    return reply(endpoint_json(found))


async def update(request: Request) -> Response:
    """Change an endpoint; `enabled: true` takes it up again after failures."""
    body = await read_json(request, EndpointChanges, limit=BODY_LIMIT)
    given = {
        name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET
    }
    if "model" in given:
        given["model"] = given["model"] or ""
    changed = await services_of(request).endpoints.update(
        require_account(request), request.path_params["id"], Wanted(**given)
    )
    return reply(endpoint_json(changed))


async def delete(request: Request) -> Response:
    """Delete an endpoint."""
    await services_of(request).endpoints.delete(require_account(request), request.path_params["id"])
    return Response(status_code=204)


async def rotate(request: Request) -> Response:
    """Give an endpoint a new secret; the one before signs beside it for a day."""
    changed = await services_of(request).endpoints.rotate(require_account(request), request.path_params["id"])
    return reply({"key": changed.secret})


_ONE = "/webhooks/endpoints/{id}"


def _endpoint(method: str, path: str, handler: Any, name: str, role: Role | None = None) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        access=Access.ACCOUNT,
        operation=f"webhooks.endpoints.{name}",
        role=role,
    )


ENDPOINTS = (
    _endpoint("GET", "/webhooks/endpoints", listing, "list"),
    _endpoint("POST", "/webhooks/endpoints", create, "create", Role.ADMIN),
    _endpoint("GET", _ONE, get, "get"),
    _endpoint("PATCH", _ONE, update, "update", Role.ADMIN),
    _endpoint("DELETE", _ONE, delete, "delete", Role.ADMIN),
    _endpoint("POST", f"{_ONE}/secret/rotate", rotate, "secret.rotate", Role.ADMIN),
)
