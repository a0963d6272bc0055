"""The API of instances that have ended: why a model did not start, with its setup log."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.page import services_of
from cogyard.http.caller import require_account
from cogyard.http.endpoints import Access, Endpoint, reply

_TOLD = ("instance", "version", "started_at", "ended_at", "became_ready", "error", "exit", "setup_logs")


async def listing(request: Request) -> Response:
    """List how a version's last instances ended, newest first; at most ten are kept."""
    path = request.path_params
    found = await services_of(request).instances.list(
        require_account(request), path["owner"], path["name"], path["version"]
    )
    return reply({"results": [{key: one.get(key) for key in _TOLD} for one in found]})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/models/{owner}/{name}/versions/{version}/instances",
        handler=listing,
        access=Access.ACCOUNT,
        operation="models.versions.instances.list",
    ),
)
