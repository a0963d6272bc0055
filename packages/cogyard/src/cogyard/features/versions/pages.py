"""A model's versions, and one version's own page."""

from __future__ import annotations

from starlette.requests import Request

from cogyard.features.models.pages import PER_PAGE, bench, find
from cogyard.features.page import Page, older, services_of
from cogyard.http import caller_of, window


async def listing(request: Request) -> Page:
    """List the versions, newest first."""
    shown = await find(request)
    if shown.version is None:
        return shown.page("model_empty.html", "versions")
    found = await services_of(request).versions.list(
        caller_of(request).account,
        shown.model.owner,
        shown.model.name,
        window(request, limit=PER_PAGE, key_types=(int, str)),
    )
    return shown.page("versions.html", "versions", versions=found.items, more=older(request, found))


async def show(request: Request) -> Page:
    """Show one version's form, whether or not it is the latest."""
    shown = await find(request)
    version = await services_of(request).versions.get(
        caller_of(request).account, shown.model.owner, shown.model.name, request.path_params["id"]
    )
    return await bench(request, shown, version, pinned=True)
