"""The models API, and search."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cogyard.domain.paging import Slice
from cogyard.domain.values import Model
from cogyard.features.models.ports import Order
from cogyard.features.models.wire import model_json
from cogyard.features.page import services_of
from cogyard.http.addresses import Addresses
from cogyard.http.bodies import read_body, read_json, read_text
from cogyard.http.caller import caller_of, require_account
from cogyard.http.concerns import concerns
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.errors import BadRequestError, NotFoundError
from cogyard.http.pages import page, window

PER_PAGE = 25
BODY_LIMIT = 1024 * 1024
QUERY_LIMIT = 10_000
# In bytes; the limit in characters is the service's.
README_LIMIT = 1024 * 1024
SEARCH_LIMIT, SEARCH_DEFAULT = 50, 20
# The hosted service writes descriptions and scores; nobody here does, and its keys are there all the same.
_METADATA: Mapping[str, Any] = {"generated_description": None, "score": None, "tags": []}
_WHOLE = re.compile(r"-?[0-9]{1,400}")


class NewModel(msgspec.Struct):
    """The body of models.create."""

    owner: str
    name: str
    visibility: str
    hardware: str
    description: str | None = None
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    cover_image_url: str | None = None


class ModelChanges(msgspec.Struct, omit_defaults=True):
    """The body of models.update; what is not given stays."""

    description: str | msgspec.UnsetType | None = msgspec.UNSET
    readme: str | msgspec.UnsetType | None = msgspec.UNSET
    github_url: str | msgspec.UnsetType | None = msgspec.UNSET
    paper_url: str | msgspec.UnsetType | None = msgspec.UNSET
    license_url: str | msgspec.UnsetType | None = msgspec.UNSET
    weights_url: str | msgspec.UnsetType | None = msgspec.UNSET
    cover_image_url: str | msgspec.UnsetType | None = msgspec.UNSET
    visibility: str | msgspec.UnsetType = msgspec.UNSET
    hardware: str | msgspec.UnsetType = msgspec.UNSET


async def create(request: Request) -> Response:
    """Make a model."""
    body = await read_json(request, NewModel, limit=BODY_LIMIT)
    texts = msgspec.structs.asdict(body)
    owner, name, visibility = texts.pop("owner"), texts.pop("name"), texts.pop("visibility")
    concerns(request, f"{owner}/{name}")
    model = await services_of(request).models.create(
        require_account(request), owner, name, visibility=visibility, **texts
    )
    return await _one(request, model, 201)


async def get(request: Request) -> Response:
    """Return a model."""
    return await _one(request, await _found(request))


async def listing(request: Request) -> Response:
    """List public models that can be run."""
    sort, direction = request.query_params.get("sort_by"), request.query_params.get("sort_direction")
    try:
        order = Order(sort) if sort else Order.LATEST_VERSION
    except ValueError as error:
        raise BadRequestError(f"sort_by must be one of {', '.join(Order)}.") from error
    if direction not in {None, "", "asc", "desc"}:
        raise BadRequestError("sort_direction must be asc or desc.")
    asked = window(request, limit=PER_PAGE, key_types=(int, int))
    found = await services_of(request).models.list(
        caller_of(request).account, asked, order=order, ascending=direction == "asc"
    )
    return await _page(request, found, sort_by=sort, sort_direction=direction)


async def search(request: Request) -> Response:
    """Find models by words: the body is the words, bare or as a JSON string (wire gotcha 12)."""
    text = (await read_body(request, QUERY_LIMIT)).decode(errors="replace").strip()
    if text.startswith('"'):
        try:
            text = msgspec.json.decode(text, type=str)
        except (msgspec.MsgspecError, ValueError):
            text = text.strip('"')
    found = await services_of(request).models.search(caller_of(request).account, text)
    return await _page(request, found)


async def search_all(request: Request) -> Response:
    """Find models and collections by words."""
    query = request.query_params.get("query", "").strip()
    if not query:
        return reply({"detail": 'Query parameter "query" is required'}, 400)
    given = request.query_params.get("limit", str(SEARCH_DEFAULT))
    if _WHOLE.fullmatch(given) is None:
        return reply({"detail": f"limit must be a whole number, not {given[:40]!r}"}, 400)
    # Beyond what it may be is as far as it goes; longer than a number needs to be, it is beyond.
    limit = int(given[:5])
    found = await services_of(request).models.search(
        caller_of(request).account, query, limit=min(max(limit, 1), SEARCH_LIMIT)
    )
    shaped = (await shaped_models(request, found.items)).values()
    models = [{"model": model, "metadata": _METADATA} for model in shaped]
    collections = [
        {
            "name": each.name,
            "slug": each.slug,
            "description": each.description,
            "models": [model.path for model in members],
        }
        for each, members in await services_of(request).collections.search(
            caller_of(request).account, query, limit=SEARCH_DEFAULT
        )
    ]
    return reply({"query": query, "models": models, "collections": collections, "pages": []})


async def update(request: Request) -> Response:
    """Change a model."""
    body = await read_json(request, ModelChanges, limit=BODY_LIMIT)
    changes = {
        key: value for key, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET
    }
    path = request.path_params
    model = await services_of(request).models.update(
        require_account(request), path["owner"], path["name"], **changes
    )
    return await _one(request, model)


async def delete(request: Request) -> Response:
    """Delete a model that has no versions."""
    path = request.path_params
    await services_of(request).models.delete(
        require_account(request), path["owner"], path["name"], only_empty=True
    )
    return Response(status_code=204)


async def readme(request: Request) -> Response:
    """Return the README as it was written."""
    model = await _found(request)
    if not model.readme:
        raise NotFoundError
    return PlainTextResponse(model.readme)


async def put_readme(request: Request) -> Response:
    """Replace the README; an empty one is none."""
    path = request.path_params
    text = await read_text(request, README_LIMIT)
    model = await services_of(request).models.update(
        require_account(request), path["owner"], path["name"], readme=text
    )
    return PlainTextResponse(model.readme or "")


async def _found(request: Request) -> Model:
    path = request.path_params
    return await services_of(request).models.get(caller_of(request).account, path["owner"], path["name"])


async def _one(request: Request, model: Model, status: int = 200) -> Response:
    return reply((await shaped_models(request, (model,)))[model.id], status)


async def _page(request: Request, found: Slice[Model], **query: str | None) -> Response:
    shaped = await shaped_models(request, found.items)
    return reply(page(request, found, lambda model: shaped[model.id], path="/models", **query))


async def shaped_models(request: Request, models: tuple[Model, ...]) -> dict[int, dict[str, Any]]:
    """Shape models with their latest versions and default examples, which come in one question each."""
    services, addresses = services_of(request), Addresses.of(request)
    latest, examples = await services.versions.latest(models), await services.examples.defaults(models)
    return {
        model.id: model_json(model, latest.get(model.id), addresses, examples.get(model.id))
        for model in models
    }


_ONE = "/models/{owner}/{name}"
ENDPOINTS = (
    Endpoint(method="GET", path="/models", handler=listing, access=Access.ACCOUNT, operation="models.list"),
    Endpoint(
        method="QUERY", path="/models", handler=search, access=Access.ACCOUNT, operation="models.search"
    ),
    Endpoint(method="POST", path="/models", handler=create, access=Access.ACCOUNT, operation="models.create"),
    Endpoint(method="GET", path=_ONE, handler=get, access=Access.ACCOUNT, operation="models.get"),
    Endpoint(method="PATCH", path=_ONE, handler=update, access=Access.ACCOUNT, operation="models.update"),
    Endpoint(method="DELETE", path=_ONE, handler=delete, access=Access.ACCOUNT, operation="models.delete"),
    Endpoint(
        method="GET",
        path=f"{_ONE}/readme",
        handler=readme,
        access=Access.ACCOUNT,
        operation="models.readme.get",
    ),
    Endpoint(
        method="PUT",
        path=f"{_ONE}/readme",
        handler=put_readme,
        access=Access.ACCOUNT,
        operation="models.readme.put",
    ),
    Endpoint(method="GET", path="/search", handler=search_all, access=Access.ACCOUNT, operation="search"),
)
