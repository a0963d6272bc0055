"""The examples API."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.page import services_of
from cogyard.features.predictions.wire import example_json
from cogyard.http.addresses import Addresses
from cogyard.http.bodies import read_json
from cogyard.http.caller import caller_of, require_account
from cogyard.http.concerns import concerns
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.pages import page, window

PER_PAGE = 25
BODY_LIMIT = 10_000


class NewExample(msgspec.Struct):
    """The body of models.examples.add."""

    prediction: str
    default: bool = False


async def listing(request: Request) -> Response:
    """List a model's examples."""
    owner, name = request.path_params["owner"], request.path_params["name"]
    found = await services_of(request).examples.list(
        caller_of(request).account, owner, name, window(request, limit=PER_PAGE, key_types=(int,))
    )
    addresses = Addresses.of(request)
    return reply(
        page(
            request,
            found,
            lambda each: example_json(each, addresses),
            path=f"/models/{owner}/{name}/examples",
        )
    )


async def add(request: Request) -> Response:
    """Make a prediction an example."""
    path = request.path_params
    body = await read_json(request, NewExample, limit=BODY_LIMIT)
    concerns(request, f"{path['owner']}/{path['name']}/{body.prediction[:40]}")
    prediction = await services_of(request).examples.add(
        require_account(request), path["owner"], path["name"], body.prediction, default=body.default
    )
    return reply(example_json(prediction, Addresses.of(request)), 201)


async def remove(request: Request) -> Response:
    """Make an example none."""
    path = request.path_params
    await services_of(request).examples.remove(
        require_account(request), path["owner"], path["name"], path["id"]
    )
    return Response(status_code=204)


_ALL = "/models/{owner}/{name}/examples"
ENDPOINTS = (
    Endpoint(
        method="GET", path=_ALL, handler=listing, access=Access.ACCOUNT, operation="models.examples.list"
    ),
    Endpoint(method="POST", path=_ALL, handler=add, access=Access.ACCOUNT, operation="models.examples.add"),
    Endpoint(
        method="DELETE",
        path=f"{_ALL}/{{id}}",
        handler=remove,
        access=Access.ACCOUNT,
        operation="models.examples.remove",
    ),
)
