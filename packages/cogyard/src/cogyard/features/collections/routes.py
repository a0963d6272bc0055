"""The collections API."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.collections.ports import Collection
from cogyard.features.models.routes import shaped_models
from cogyard.features.page import services_of
from cogyard.http.bodies import read_json
from cogyard.http.caller import caller_of, require_account
from cogyard.http.endpoints import Access, Endpoint, Handler, reply
from cogyard.http.pages import page, window

PER_PAGE = 100
BODY_LIMIT = 1024 * 1024


class CollectionTexts(msgspec.Struct):
    """The body of collections.put."""

    name: str
    description: str = ""
    full_description: str | None = None
    owner: str | None = None
    """An account whose collection a new one is; its name begins the slug. Without it it is the platform's own."""


def collection_json(collection: Collection) -> dict[str, Any]:
    """Shape a collection, as lists have it."""
    shaped = {"name": collection.name, "slug": collection.slug, "description": collection.description}
    return shaped if collection.owner is None else {**shaped, "owner": collection.owner}


async def listing(request: Request) -> Response:
    """List the platform's collections, or those of an account."""
    owner = request.query_params.get("owner") or None
    found = await services_of(request).collections.list(
        caller_of(request).account, window(request, limit=PER_PAGE), owner=owner
    )
    return reply(page(request, found, collection_json, path="/collections", owner=owner))


async def get(request: Request) -> Response:
    """Return a collection with its models."""
    return await _whole(request)


async def put(request: Request) -> Response:
    """Make a collection, or change its texts."""
    body = await read_json(request, CollectionTexts, limit=BODY_LIMIT)
    collection = Collection(slug=request.path_params["slug"], **msgspec.structs.asdict(body))
    await services_of(request).collections.put(require_account(request), collection)
    return await _whole(request)


async def delete(request: Request) -> Response:
    """Delete a collection; its models stay."""
    await services_of(request).collections.delete(require_account(request), request.path_params["slug"])
    return Response(status_code=204)


async def add_model(request: Request) -> Response:
    """Put a model into a collection."""
    await services_of(request).collections.add_model(require_account(request), *_member(request))
    return Response(status_code=204)


async def remove_model(request: Request) -> Response:
    """Take a model out of a collection."""
    await services_of(request).collections.remove_model(require_account(request), *_member(request))
    return Response(status_code=204)


async def _whole(request: Request) -> Response:
    collection, models = await services_of(request).collections.get(
        caller_of(request).account, request.path_params["slug"]
    )
    shaped = await shaped_models(request, models)
    return reply(
        {
            **collection_json(collection),
            "full_description": collection.full_description,
            "models": [shaped[model.id] for model in models],
        }
    )


def _member(request: Request) -> tuple[str, str, str]:
    parts = request.path_params
    return parts["slug"], parts["owner"], parts["name"]


_ONE = "/collections/{slug}"
_MEMBER = f"{_ONE}/models/{{owner}}/{{name}}"


def _endpoint(method: str, path: str, handler: Handler, operation: str) -> Endpoint:
    return Endpoint(
        method=method, path=path, handler=handler, access=Access.ACCOUNT, operation=f"collections.{operation}"
    )


ENDPOINTS = (
    _endpoint("GET", "/collections", listing, "list"),
    _endpoint("GET", _ONE, get, "get"),
    _endpoint("PUT", _ONE, put, "put"),
    _endpoint("DELETE", _ONE, delete, "delete"),
    _endpoint("PUT", _MEMBER, add_model, "models.add"),
    _endpoint("DELETE", _MEMBER, remove_model, "models.remove"),
)
