"""A model's versions, and one version's own page."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request

from cogyard.features.bench import Plain
from cogyard.features.models.pages import PER_PAGE, bench, find, owned
from cogyard.features.page import Page, Redirect, older, reason_of, services_of
from cogyard.http import caller_of, require_account, window
from cogyard.http.errors import ConflictError


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


async def delete(request: Request) -> Page | Redirect:
    """Delete a version that nobody needs, with its image and its predictions."""
    shown, account, id_ = await owned(request), require_account(request), request.path_params["id"]
    services, model = services_of(request), shown.model
    try:
        await services.versions.delete(account, model.owner, model.name, id_)
    except ConflictError as error:
        version = await services.versions.get(account, model.owner, model.name, id_)
        page = await bench(request, shown, version, pinned=True, plain=Plain(problem=reason_of(error)))
        return replace(page, status=error.http_status)
    return Redirect(to=f"/{model.path}/versions")
