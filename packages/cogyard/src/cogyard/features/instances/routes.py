"""The API of instances: which live, how those before them ended, and why none starts; with their setup logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.instances.ports import Living
from cogyard.features.instances.service import Fared
from cogyard.features.page import services_of
from cogyard.http.caller import require_account
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.moments import written

_TOLD = ("instance", "version", "started_at", "ended_at", "became_ready", "error", "exit", "setup_logs")


def living_json(living: Living) -> dict[str, Any]:
    """Shape an instance that lives."""
    view = living.view
    return {
        "instance": view.id,
        "state": view.phase.value,
        "since": written(view.since),
        "slots": view.slots,
        "busy": view.busy,
        "setup_logs": living.setup_logs,
    }


def ended_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """Shape an instance that is gone; what cannot be seen or was not written down is null."""
    return {key: record.get(key) for key in _TOLD}


def fared_json(fared: Fared) -> dict[str, Any]:
    """Shape how the instances of one version fare."""
    trouble = fared.trouble
    return {
        "purpose": fared.purpose,
        "version": fared.version,
        "trouble": None if trouble is None else trouble.detail,
        "living": [living_json(one) for one in fared.living],
        "ended": [ended_json(one) for one in fared.ended],
    }


async def listing(request: Request) -> Response:
    """List how a version's last instances ended, newest first; at most ten are kept."""
    path = request.path_params
    found = await services_of(request).instances.list(
        require_account(request), path["owner"], path["name"], path["version"]
    )
    return reply({"results": [ended_json(one) for one in found]})


async def of_model(request: Request) -> Response:
    """List how a model's instances fare, those of its latest version or another, by what they are for."""
    account, path, services = require_account(request), request.path_params, services_of(request)
    model = await services.models.get(account, path["owner"], path["name"])
    version = request.query_params.get("version") or model.latest_version or ""
    found = await services.instances.of_version(account, path["owner"], path["name"], version)
    return reply({"results": [fared_json(one) for one in found]})


async def of_deployment(request: Request) -> Response:
    """List how a deployment's instances fare, by version: the current release's, and past ones' that still live."""
    account, path = require_account(request), request.path_params
    services = services_of(request)
    deployment = await services.deployments.get(account, path["owner"], path["name"])
    found = await services.instances.of_deployment(account, deployment)
    return reply({"results": [fared_json(one) for one in found]})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/models/{owner}/{name}/versions/{version}/instances",
        handler=listing,
        access=Access.ACCOUNT,
        operation="models.versions.instances.list",
    ),
    Endpoint(
        method="GET",
        path="/models/{owner}/{name}/instances",
        handler=of_model,
        access=Access.ACCOUNT,
        operation="models.instances.list",
    ),
    Endpoint(
        method="GET",
        path="/deployments/{owner}/{name}/instances",
        handler=of_deployment,
        access=Access.ACCOUNT,
        operation="deployments.instances.list",
    ),
)
