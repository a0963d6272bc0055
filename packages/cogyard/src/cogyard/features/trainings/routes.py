"""The trainings API."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.values import Kind
from cogyard.features.page import services_of
from cogyard.features.predictions.creating import Wish, shaped, wished
from cogyard.features.predictions.routes import PER_PAGE
from cogyard.http.bodies import read_json
from cogyard.http.caller import require_account
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.pages import page, window


class NewTraining(Wish, kw_only=True):
    """The body of trainings.create."""

    destination: str


async def create(request: Request) -> Response:
    """Ask for a training."""
    body, path = await read_json(request, NewTraining), request.path_params
    made = await services_of(request).trainings.create(
        require_account(request),
        (path["owner"], path["name"], path["version"]),
        destination=body.destination,
        **wished(request, body),
    )
    # As the hosted service answers: where a prediction of this id would be, which finds trainings too (wire gotcha 15).
    answer = shaped(request, replace(made, kind=Kind.PREDICTION))
    return reply(answer, 201, Location=answer["urls"]["get"])


async def listing(request: Request) -> Response:
    """List the caller's trainings, newest first."""
    found = await services_of(request).trainings.list(
        require_account(request), window(request, limit=PER_PAGE)
    )
    return reply(page(request, found, partial(shaped, request), path="/trainings"))


async def get(request: Request) -> Response:
    """Return a training."""
    found = await services_of(request).trainings.get(require_account(request), request.path_params["id"])
    return reply(shaped(request, found))


async def cancel(request: Request) -> Response:
    """Stop a training; one that has ended stays as it is."""
    found = await services_of(request).trainings.cancel(require_account(request), request.path_params["id"])
    return reply(shaped(request, found))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/models/{owner}/{name}/versions/{version}/trainings",
        handler=create,
        access=Access.ACCOUNT,
        operation="trainings.create",
    ),
    Endpoint(
        method="GET", path="/trainings", handler=listing, access=Access.ACCOUNT, operation="trainings.list"
    ),
    Endpoint(
        method="GET", path="/trainings/{id}", handler=get, access=Access.ACCOUNT, operation="trainings.get"
    ),
    Endpoint(
        method="POST",
        path="/trainings/{id}/cancel",
        handler=cancel,
        access=Access.ACCOUNT,
        operation="trainings.cancel",
    ),
)
