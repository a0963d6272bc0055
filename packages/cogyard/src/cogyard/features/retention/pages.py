"""How long an account's predictions hold their data, on a page."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request

from cogyard.domain.roles import Role
from cogyard.features.keeping import keep_of
from cogyard.features.page import Page, Redirect, read_form, reason_of, services_of
from cogyard.http import ApiError, require_account


async def account(request: Request) -> Page:
    """Show the caller's setting."""
    return await _page(request, saved="saved" in request.query_params)


async def save(request: Request) -> Page | Redirect:
    """Change it; an empty field is as the platform has it."""
    caller, form = require_account(request), await read_form(request)
    try:
        await services_of(request).retention.set_of_account(caller, keep_of(form.get("keep", "")))
    except ApiError as error:
        page = await _page(request, given=form.get("keep", ""), problem=reason_of(error))
        return replace(page, status=error.http_status)
    return Redirect(to="/account/retention?saved=1")


async def _page(
    request: Request, *, given: str | None = None, problem: str = "", saved: bool = False
) -> Page:
    account = require_account(request)
    kept = await services_of(request).retention.of_account(account)
    own = "" if kept.own is None else str(kept.own)
    values = {
        "keep": own if given is None else given,
        "platform_keeps": str(kept.platform),
        "problem": problem,
        "saved": saved,
        "may_export": account.role.covers(Role.OWNER),
        "whose": account.username,
    }
    return Page(template="retention.html", title="Data of predictions", values=values)
