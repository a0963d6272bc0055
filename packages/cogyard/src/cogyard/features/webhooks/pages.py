"""Webhooks: an account's endpoints, its signing secret, and what was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request

from cogyard.domain.values import Account
from cogyard.domain.webhooks import EVENTS, OWN, default_events
from cogyard.features.page import (
    Page,
    Redirect,
    local_path,
    older,
    read_form,
    read_repeated,
    reason_of,
    services_of,
)
from cogyard.features.webhooks.endpoints import Wanted, may_change
from cogyard.features.webhooks.told import targets_of
from cogyard.http import ApiError, require_account, window
from cogyard.http.concerns import concerns

PER_PAGE = 50
HERE = "/account/webhooks"


async def overview(request: Request) -> Page:
    """Show endpoints, secret and tries."""
    return await _overview(request, require_account(request))


async def create(request: Request) -> Page:
    """Make an endpoint and show its secret this once."""
    account, values = require_account(request), await _given(request)
    try:
        made = await services_of(request).endpoints.create(account, _wanted(values))
    except ApiError as error:
        page = await _overview(request, account, values=values, problem=reason_of(error))
        return replace(page, status=error.http_status)
    concerns(request, made.id)
    return await _overview(request, account, fresh=made.secret, fresh_of=made.url)


async def show_secret(request: Request) -> Page:
    """Show what the webhooks of predictions are signed with."""
    account = require_account(request)
    return await _overview(
        request, account, secret=await services_of(request).accounts.webhook_secret(account.id)
    )


async def rotate_secret(request: Request) -> Page:
    """Give the account a new secret; the one before signs beside it for a day."""
    account = require_account(request)
    fresh = await services_of(request).accounts.rotate_webhook_secret(account)
    return await _overview(request, account, secret=fresh, rotated=True)


async def endpoint(request: Request) -> Page:
    """Show one endpoint and what was told to it."""
    return await _endpoint_page(request, saved="saved" in request.query_params)


async def save_endpoint(request: Request) -> Page | Redirect:
    """Change an endpoint."""
    account, values, id_ = require_account(request), await _given(request), request.path_params["id"]
    await services_of(request).endpoints.changeable(account, id_)
    try:
        await services_of(request).endpoints.update(account, id_, _wanted(values))
    except ApiError as error:
        page = await _endpoint_page(request, values=values, problem=reason_of(error))
        return replace(page, status=error.http_status)
    return Redirect(to=f"{HERE}/{id_}?saved=1")


async def rotate_endpoint(request: Request) -> Page:
    """Give an endpoint a new secret and show it this once."""
    changed = await services_of(request).endpoints.rotate(require_account(request), request.path_params["id"])
    return await _endpoint_page(request, fresh=changed.secret)


async def delete_endpoint(request: Request) -> Redirect:
    """Delete an endpoint with what was still to be told to it."""
    await services_of(request).endpoints.delete(require_account(request), request.path_params["id"])
    return Redirect(to=HERE)


async def replay(request: Request) -> Page | Redirect:
    """Tell an event of a prediction once more."""
    account, form = require_account(request), await read_form(request)
    await services_of(request).calls.replay(
        account, request.path_params["id"], form.get("event", ""), form.get("endpoint") or None
    )
    back = local_path(form.get("back"))
    return Redirect(to=back if back != "/" else f"/p/{request.path_params['id']}#webhooks")


async def _overview(request: Request, account: Account, **more: Any) -> Page:
    services = services_of(request)
    asked = window(request, limit=PER_PAGE, key_types=(int,))
    found = await services.calls.list(account, asked)
    endpoints, waiting = await services.endpoints.list(account), await services.calls.waiting(account)
    values = {
        "endpoints": endpoints,
        "tries": found.items,
        "more": older(request, found),
        "waiting": waiting,
        "targets": await targets_of(services, account, [*found.items, *waiting]),
        "events": EVENTS,
        "own": OWN,
        "may_change": may_change(account),
        "values": {"url": "", "model": "", "enabled": True, "events": default_events()},
        "fresh": "",
        "fresh_of": "",
        "secret": "",
        "rotated": False,
        "problem": "",
        **more,
    }
    return Page(template="webhooks.html", title="Webhooks", values=values)


async def _endpoint_page(request: Request, *, values: Mapping[str, Any] | None = None, **more: Any) -> Page:
    services, account = services_of(request), require_account(request)
    found = await services.endpoints.get(account, request.path_params["id"])
    asked = window(request, limit=PER_PAGE, key_types=(int,))
    told = await services.calls.list(account, asked, endpoint=found.id)
    now = {"url": found.url, "model": found.model or "", "enabled": found.enabled, "events": found.events}
    common = {
        "endpoint": found,
        "values": values or now,
        "tries": told.items,
        "more": older(request, told) if request.method == "GET" else None,
        "targets": {found.id: found.url},
        "events": EVENTS,
        "own": OWN,
        "may_change": may_change(account),
        "fresh": "",
        "problem": "",
        "saved": False,
        **more,
    }
    return Page(template="webhook_endpoint.html", title="Webhook endpoint", values=common)


async def _given(request: Request) -> dict[str, Any]:
    form = await read_repeated(request)
    return {
        "url": form.get("url", [""])[-1].strip(),
        "model": form.get("model", [""])[-1].strip().lower(),
        "enabled": "enabled" in form,
        "events": form.get("events", []),
    }


def _wanted(values: Mapping[str, Any]) -> Wanted:
    return Wanted(
        url=values["url"], events=values["events"], model=values["model"], enabled=values["enabled"]
    )
