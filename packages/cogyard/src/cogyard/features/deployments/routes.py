"""The deployments API."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.deployments import Configuration, Deployment, Split
from cogyard.domain.scopes import Scope
from cogyard.features.deployments.service import Wanted
from cogyard.features.deployments.wire import deployment_json, release_json
from cogyard.features.page import services_of
from cogyard.features.predictions.creating import Asked, created, shaped
from cogyard.features.predictions.routes import PER_PAGE as PREDICTIONS_PER_PAGE
from cogyard.http.bodies import read_json
from cogyard.http.caller import require_account
from cogyard.http.concerns import concerns
from cogyard.http.endpoints import Access, Endpoint, Handler, reply
from cogyard.http.pages import page, window

PER_PAGE = 25
BODY_LIMIT = 100_000


class SplitBody(msgspec.Struct):
    """A second version and how many of a hundred predictions it gets."""

    version: str
    percent: int


class NewDeployment(msgspec.Struct):
    """The body of deployments.create: all but `split` and `owner` are required."""

    name: str
    model: str
    version: str
    hardware: str
    min_instances: int
    max_instances: int
    split: SplitBody | None = None
    owner: str | None = None
    """An organization where the caller is a writer; the caller itself unless given."""


class DeploymentChanges(msgspec.Struct):
    """The body of deployments.update; what is not given stays."""

    version: str | None = None
    hardware: str | None = None
    min_instances: int | None = None
    max_instances: int | None = None
    split: SplitBody | msgspec.UnsetType | None = msgspec.UNSET


class Back(msgspec.Struct):
    """The body of deployments.rollback; without a number it is the release before the current one."""

    release: int | None = None


async def listing(request: Request) -> Response:
    """List the caller's deployments, newest first."""
    asked = window(request, limit=PER_PAGE, key_types=(int,))
    found = await services_of(request).deployments.list(require_account(request), asked)
    return reply(page(request, found, deployment_json, path="/deployments"))


async def create(request: Request) -> Response:
    """Make a deployment."""
    body = await read_json(request, NewDeployment, limit=BODY_LIMIT)
    configuration = Configuration(
        version=body.version,
        hardware=body.hardware,
        min_instances=body.min_instances,
        max_instances=body.max_instances,
        split=_split(body.split),
    )
    account = require_account(request)
    concerns(request, f"{body.owner or account.username}/{body.name}")
    made = await services_of(request).deployments.create(
        account, body.name, body.model, configuration, owner=body.owner
    )
    return reply(_shaped(request, made))


async def get(request: Request) -> Response:
    """Return a deployment."""
    found = await services_of(request).deployments.get(require_account(request), *_path(request))
    return reply(_shaped(request, found))


async def update(request: Request) -> Response:
    """Make the next release."""
    body = await read_json(request, DeploymentChanges, limit=BODY_LIMIT)
    wanted = Wanted(
        version=body.version,
        hardware=body.hardware,
        min_instances=body.min_instances,
        max_instances=body.max_instances,
        split=None if body.split is msgspec.UNSET else _split(body.split),
        splits=body.split is not msgspec.UNSET,
    )
    made = await services_of(request).deployments.update(require_account(request), *_path(request), wanted)
    return reply(_shaped(request, made))


async def roll_back(request: Request) -> Response:
    """Make a release that is as an earlier one was."""
    body = await read_json(request, Back, limit=BODY_LIMIT, absent=Back())
    made = await services_of(request).deployments.roll_back(
        require_account(request), *_path(request), body.release
    )
    return reply(_shaped(request, made))


async def releases(request: Request) -> Response:
    """List a deployment's releases, newest first."""
    asked = window(request, limit=PER_PAGE, key_types=(int,))
    deployment, found = await services_of(request).deployments.releases(
        require_account(request), *_path(request), asked
    )
    path = f"/deployments/{deployment.path}/releases"
    return reply(page(request, found, partial(release_json, deployment), path=path))


async def delete(request: Request) -> Response:
    """Delete a deployment that nothing waits for."""
    await services_of(request).deployments.delete(require_account(request), *_path(request))
    return Response(status_code=204)


async def predict(request: Request) -> Response:
    """Ask for a prediction of the current release."""
    asked = await read_json(request, Asked)
    create = partial(services_of(request).deployments.predict, require_account(request), *_path(request))
    return await created(request, asked, create)


async def predictions(request: Request) -> Response:
    """List the predictions that the caller or its organization asked of the deployment, newest first."""
    deployment, found = await services_of(request).deployments.predictions_of(
        require_account(request), *_path(request), window(request, limit=PREDICTIONS_PER_PAGE)
    )
    path = f"/deployments/{deployment.path}/predictions"
    return reply(page(request, found, partial(shaped, request), path=path))


def _shaped(request: Request, deployment: Deployment) -> dict[str, Any]:
    rollouts = services_of(request).deployments.rollouts
    return deployment_json(deployment, rollouts.progress(deployment))


def _split(body: SplitBody | None) -> Split | None:
    return None if body is None else Split(version=body.version, percent=body.percent)


def _path(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


_ONE = "/deployments/{owner}/{name}"


def _endpoint(
    method: str, path: str, handler: Handler, operation: str, scope: Scope | None = None
) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        access=Access.ACCOUNT,
        operation=f"deployments.{operation}",
        scope=scope,
    )


ENDPOINTS = (
    _endpoint("GET", "/deployments", listing, "list"),
    _endpoint("POST", "/deployments", create, "create"),
    _endpoint("GET", _ONE, get, "get"),
    _endpoint("PATCH", _ONE, update, "update"),
    _endpoint("DELETE", _ONE, delete, "delete"),
    _endpoint("POST", f"{_ONE}/predictions", predict, "predictions.create", Scope.RUN),
    _endpoint("GET", f"{_ONE}/predictions", predictions, "predictions.list"),
    _endpoint("GET", f"{_ONE}/releases", releases, "releases.list"),
    _endpoint("POST", f"{_ONE}/rollback", roll_back, "rollback"),
)
