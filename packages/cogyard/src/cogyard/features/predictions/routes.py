"""The predictions API."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.scopes import Scope
from cogyard.domain.values import Status, Version
from cogyard.features.page import services_of
from cogyard.features.predictions.creating import Asked, created, shaped
from cogyard.features.predictions.wire import example_json, place_json
from cogyard.features.versions.service import NoVersionError
from cogyard.http.addresses import Addresses
from cogyard.http.bodies import read_json
from cogyard.http.caller import caller_of, require_account
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.errors import BadRequestError, InvalidError, NotFoundError
from cogyard.http.moments import read_moment
from cogyard.http.pages import page, window

PER_PAGE = 100
_SOURCES = {"api", "web"}


async def create(request: Request) -> Response:
    """Ask for a prediction of a version: `id`, `owner/name:id` or `owner/name`."""
    asked = await read_json(request, Asked)
    if not asked.version:
        raise InvalidError("version is required.", problems=[("version", "is required")])
    version = await services_of(request).versions.resolve(caller_of(request).account, asked.version)
    return await _created(request, asked, version)


async def create_for_model(request: Request) -> Response:
    """Ask for a prediction of a model's latest version."""
    services, account = services_of(request), caller_of(request).account
    path = request.path_params
    asked = await read_json(request, Asked)
    model = await services.models.get(account, path["owner"], path["name"])
    if model.latest_version is None:
        raise NoVersionError
    version = await services.versions.get(account, model.owner, model.name, model.latest_version)
    return await _created(request, asked, version)


async def get(request: Request) -> Response:
    """Return a prediction: one's own, or an example of a model that the caller sees."""
    services, account, wanted = services_of(request), caller_of(request).account, request.path_params["id"]
    try:
        prediction = await services.predictions.get(account, wanted)
    except NotFoundError:
        return reply(example_json(await services.examples.get(account, wanted), Addresses.of(request)))
    shown = shaped(request, prediction)
    if prediction.status is Status.STARTING:
        place = await services.predictions.place(prediction.id)
        if place is not None:
            shown["queue"] = place_json(place)
    return reply(shown)


async def delete(request: Request) -> Response:
    """Delete a prediction that has ended, with its files."""
    await services_of(request).predictions.delete(require_account(request), request.path_params["id"])
    return Response(status_code=204)


async def cancel(request: Request) -> Response:
    """Stop a prediction; one that has ended stays as it is."""
    prediction = await services_of(request).predictions.cancel(
        require_account(request), request.path_params["id"]
    )
    return reply(shaped(request, prediction))


async def listing(request: Request) -> Response:
    """List the caller's predictions, newest first."""
    query = request.query_params
    source = query.get("source") or None
    if source is not None and source not in _SOURCES:
        raise BadRequestError("source must be api or web.")
    found = await services_of(request).predictions.list(
        require_account(request),
        window(request, limit=PER_PAGE),
        created_after=read_moment(query.get("created_after"), "created_after"),
        created_before=read_moment(query.get("created_before"), "created_before"),
        source=source,
    )
    return reply(
        page(
            request,
            found,
            lambda prediction: shaped(request, prediction),
            path="/predictions",
            created_after=query.get("created_after"),
            created_before=query.get("created_before"),
            source=source,
        )
    )


async def _created(request: Request, asked: Asked, version: Version) -> Response:
    create = partial(services_of(request).predictions.create, require_account(request), version=version)
    return await created(request, asked, create)


_ONE = "/predictions/{id}"
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/predictions",
        handler=create,
        access=Access.ACCOUNT,
        operation="predictions.create",
        scope=Scope.RUN,
    ),
    Endpoint(
        method="GET",
        path="/predictions",
        handler=listing,
        access=Access.ACCOUNT,
        operation="predictions.list",
    ),
    Endpoint(method="GET", path=_ONE, handler=get, access=Access.ACCOUNT, operation="predictions.get"),
    Endpoint(
        method="DELETE", path=_ONE, handler=delete, access=Access.ACCOUNT, operation="predictions.delete"
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/cancel",
        handler=cancel,
        access=Access.ACCOUNT,
        operation="predictions.cancel",
        scope=Scope.RUN,
    ),
    Endpoint(
        method="POST",
        path="/models/{owner}/{name}/predictions",
        handler=create_for_model,
        access=Access.ACCOUNT,
        operation="models.predictions.create",
        scope=Scope.RUN,
    ),
)
