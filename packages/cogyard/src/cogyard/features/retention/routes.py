"""The retention API: how long predictions hold their data."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.retention import FOREVER, FOREVER_WORD, Keep, problem_of
from cogyard.features.page import services_of
from cogyard.features.retention.service import Retained
from cogyard.http.bodies import read_json
from cogyard.http.caller import require_account
from cogyard.http.endpoints import Access, Endpoint, Handler, reply
from cogyard.http.errors import InvalidError

BODY_LIMIT = 10_000


class RetentionChanges(msgspec.Struct):
    """The body of the retention operations: seconds, `forever`, or null for what holds without a setting."""

    keep_predictions: int | str | None


def retention_json(retained: Retained) -> dict[str, Any]:
    """Shape a setting."""
    own = retained.own
    return {
        "keep_predictions": None if own is None else _shaped(own),
        "platform": _shaped(retained.platform),
    }


def _shaped(keep: Keep) -> int | str:
    return FOREVER_WORD if keep.seconds is None else keep.seconds


async def _wanted(request: Request) -> Keep | None:
    body = await read_json(request, RetentionChanges, limit=BODY_LIMIT)
    given = body.keep_predictions
    if given is None:
        return None
    if given == FOREVER_WORD:
        return FOREVER
    if isinstance(given, str):
        problem = f"{given[:40]!r} is neither a number of seconds nor {FOREVER_WORD!r}."
    else:
        problem = problem_of(given) or ""
    if problem:
        raise InvalidError(f"keep_predictions: {problem}", problems=[("keep_predictions", problem)])
    return Keep(int(given))


async def account(request: Request) -> Response:
    """Say how long the caller's predictions hold their data."""
    return reply(retention_json(await services_of(request).retention.of_account(require_account(request))))


async def set_account(request: Request) -> Response:
    """Set how long the caller's predictions hold their data."""
    keep = await _wanted(request)
    made = await services_of(request).retention.set_of_account(require_account(request), keep)
    return reply(retention_json(made))


async def model(request: Request) -> Response:
    """Say how long predictions of a model hold their data."""
    found = await services_of(request).retention.of_model(require_account(request), *_path(request))
    return reply(retention_json(found))


async def set_model(request: Request) -> Response:
    """Set how long predictions of a model hold their data."""
    keep = await _wanted(request)
    made = await services_of(request).retention.set_of_model(require_account(request), *_path(request), keep)
    return reply(retention_json(made))


async def deployment(request: Request) -> Response:
    """Say how long predictions of a deployment hold their data."""
    found = await services_of(request).retention.of_deployment(require_account(request), *_path(request))
    return reply(retention_json(found))


async def set_deployment(request: Request) -> Response:
    """Set how long predictions of a deployment hold their data."""
    keep = await _wanted(request)
    made = await services_of(request).retention.set_of_deployment(
        require_account(request), *_path(request), keep
    )
    return reply(retention_json(made))


def _path(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


def _endpoint(method: str, path: str, handler: Handler, operation: str) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, access=Access.ACCOUNT, operation=operation)


ENDPOINTS = (
    _endpoint("GET", "/account/retention", account, "account.retention.get"),
    _endpoint("PATCH", "/account/retention", set_account, "account.retention.update"),
    _endpoint("GET", "/models/{owner}/{name}/retention", model, "models.retention.get"),
    _endpoint("PATCH", "/models/{owner}/{name}/retention", set_model, "models.retention.update"),
    _endpoint("GET", "/deployments/{owner}/{name}/retention", deployment, "deployments.retention.get"),
    _endpoint(
        "PATCH", "/deployments/{owner}/{name}/retention", set_deployment, "deployments.retention.update"
    ),
)
