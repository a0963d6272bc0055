"""The predictions API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.values import Prediction, Status, Version
from cogyard.features.page import services_of
from cogyard.features.predictions.inline import inlined
from cogyard.features.predictions.wire import prediction_json
from cogyard.features.versions.service import NoVersionError
from cogyard.http.addresses import Addresses
from cogyard.http.bodies import read_json
from cogyard.http.caller import caller_of, require_account
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.errors import BadRequestError, InvalidError
from cogyard.http.moments import read_moment
from cogyard.http.pages import page, window
from cogyard.http.preferences import Wait, cancel_after, wait_preference

PER_PAGE = 100
_SOURCES = {"api", "web"}
# Clients that know the status "aborted": the second generation, and ours.
_KNOW_ABORTED = ("Replicate/", "cogyard")


class Asked(msgspec.Struct):
    """The body of a create. What clients send beside it (`stream`, and more) is let pass (wire gotcha 13)."""

    input: dict[str, Any]
    version: str | None = None
    webhook: str | None = None
    webhook_completed: str | None = None
    webhook_events_filter: list[str] | None = None


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
    """Return a prediction."""
    prediction = await services_of(request).predictions.get(
        caller_of(request).account, request.path_params["id"]
    )
    return reply(_shaped(request, prediction))


async def cancel(request: Request) -> Response:
    """Stop a prediction; one that has ended stays as it is."""
    prediction = await services_of(request).predictions.cancel(
        require_account(request), request.path_params["id"]
    )
    return reply(_shaped(request, prediction))


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
            lambda prediction: _shaped(request, prediction),
            path="/predictions",
            created_after=query.get("created_after"),
            created_before=query.get("created_before"),
            source=source,
        )
    )


async def _created(request: Request, asked: Asked, version: Version) -> Response:
    wait = wait_preference(request.headers.get("prefer"))
    caller, addresses = caller_of(request), Addresses.of(request)
    webhook = asked.webhook or asked.webhook_completed
    events = asked.webhook_events_filter
    if events is None and not asked.webhook and asked.webhook_completed:
        events = ["completed"]
    prediction = await services_of(request).predictions.create(
        require_account(request),
        version=version,
        input=asked.input,
        webhook=webhook,
        webhook_events=events,
        source="web" if caller.via == "session" else "api",
        origin=addresses.base,
        cancel_after=cancel_after(request.headers.get("cancel-after")),
    )
    if wait is not None:
        return await _waited(request, prediction, wait)
    shaped = _shaped(request, prediction)
    return reply(shaped, 201, Location=shaped["urls"]["get"])


async def _waited(request: Request, prediction: Prediction, wait: Wait) -> Response:
    services = services_of(request)
    found = await services.predictions.wait(prediction.id, wait.seconds)
    if found.status.terminal:
        found = replace(found, output=await inlined(found.output, services.files))
    else:
        # Clients take any word but "starting" for the end (wire gotcha 2).
        found = replace(found, status=Status.STARTING, output=None)
    shaped = _shaped(request, found)
    status = 201 if found.status.terminal else 202
    return reply(shaped, status, Location=shaped["urls"]["get"], Preference_Applied=wait.applied)


def _shaped(request: Request, prediction: Prediction) -> dict[str, Any]:
    return prediction_json(
        prediction,
        Addresses.of(request),
        knows_aborted=request.headers.get("user-agent", "").startswith(_KNOW_ABORTED),
    )


_ONE = "/predictions/{id}"
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/predictions",
        handler=create,
        access=Access.ACCOUNT,
        operation="predictions.create",
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
        method="POST",
        path=f"{_ONE}/cancel",
        handler=cancel,
        access=Access.ACCOUNT,
        operation="predictions.cancel",
    ),
    Endpoint(
        method="POST",
        path="/models/{owner}/{name}/predictions",
        handler=create_for_model,
        access=Access.ACCOUNT,
        operation="models.predictions.create",
    ),
)
