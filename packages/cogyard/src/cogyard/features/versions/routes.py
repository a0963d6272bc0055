"""The versions API."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.page import services_of
from cogyard.features.versions.wire import version_json
from cogyard.http.caller import caller_of, require_account
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.pages import page, window

PER_PAGE = 25


async def listing(request: Request) -> Response:
    """List a model's versions, newest first."""
    owner, name = request.path_params["owner"], request.path_params["name"]
    asked = window(request, limit=PER_PAGE, key_types=(int, str))
    found = await services_of(request).versions.list(caller_of(request).account, owner, name, asked)
    return reply(page(request, found, version_json, path=f"/models/{owner}/{name}/versions"))


async def get(request: Request) -> Response:
    """Return a version with its schema."""
    path = request.path_params
    version = await services_of(request).versions.get(
        caller_of(request).account, path["owner"], path["name"], path["version"]
    )
    return reply(version_json(version))


async def delete(request: Request) -> Response:
    """Delete a version: 202 and no body, as clients expect (wire gotcha 11)."""
    path = request.path_params
    await services_of(request).versions.delete(
        require_account(request), path["owner"], path["name"], path["version"]
    )
    return Response(status_code=202)


_ONE = "/models/{owner}/{name}/versions/{version}"
ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/models/{owner}/{name}/versions",
        handler=listing,
        access=Access.ACCOUNT,
        operation="models.versions.list",
    ),
    Endpoint(method="GET", path=_ONE, handler=get, access=Access.ACCOUNT, operation="models.versions.get"),
    Endpoint(
        method="DELETE", path=_ONE, handler=delete, access=Access.ACCOUNT, operation="models.versions.delete"
    ),
)
