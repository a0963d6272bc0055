"""The limits API: how much of a model may be asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.limits.ports import MINUTE, ModelLimits
from cogyard.features.page import services_of
from cogyard.http.bodies import read_json
from cogyard.http.caller import require_account
from cogyard.http.endpoints import Access, Endpoint, reply

BODY_LIMIT = 10_000


class LimitChanges(msgspec.Struct, omit_defaults=True):
    """The body of models.limits.update; what is not given stays, null is no limit. `window` is in seconds."""

    predictions: int | msgspec.UnsetType | None = msgspec.UNSET
    window: int | msgspec.UnsetType | None = msgspec.UNSET
    at_once: int | msgspec.UnsetType | None = msgspec.UNSET


def limits_json(limits: ModelLimits) -> dict[str, Any]:
    """Shape a model's limits."""
    return {"predictions": limits.predictions, "window": limits.window, "at_once": limits.at_once}


async def get(request: Request) -> Response:
    """Say how much of a model may be asked for."""
    found = await services_of(request).limits.get(require_account(request), *_path(request))
    return reply(limits_json(found))


async def update(request: Request) -> Response:
    """Set how much of a model may be asked for."""
    body = await read_json(request, LimitChanges, limit=BODY_LIMIT)
    limits, account = services_of(request).limits, require_account(request)
    before = await limits.get(account, *_path(request))
    given = {
        name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET
    }
    if "window" in given:
        given["window"] = MINUTE if given["window"] is None else given["window"]
    return reply(limits_json(await limits.set(account, *_path(request), replace(before, **given))))


def _path(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


_ONE = "/models/{owner}/{name}/limits"
ENDPOINTS = (
    Endpoint(method="GET", path=_ONE, handler=get, access=Access.ACCOUNT, operation="models.limits.get"),
    Endpoint(
        method="PATCH", path=_ONE, handler=update, access=Access.ACCOUNT, operation="models.limits.update"
    ),
)
