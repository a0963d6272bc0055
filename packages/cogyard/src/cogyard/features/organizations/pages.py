"""Organizations: one's own, their members, their settings, and whom a browser acts for. Always asked as a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.page import Page, Redirect, local_path, read_form, reason_of, services_of, tab_title
from cogyard.http import ApiError, InvalidError, require_account
from cogyard.http.caller import ACTING_KEY, require_person
from cogyard.http.concerns import concerns


async def listing(request: Request) -> Page:
    """List where the caller is a member or invited."""
    found = await services_of(request).organizations.mine(require_person(request))
    values = {
        "belongings": [each for each in found if each.standing.joined_at is not None],
        "invitations": [each for each in found if each.standing.joined_at is None],
        "acting": require_account(request),
    }
    return Page(template="organizations.html", title="Organizations", values=values)


async def ask(request: Request) -> Page:
    """Ask what the new organization is called."""
    require_person(request)
    return _create_page({"username": "", "name": ""})


async def create(request: Request) -> Page | Redirect:
    """Make an organization that the caller owns, and act for it."""
    person, form = require_person(request), await read_form(request)
    given = {key: form.get(key, "").strip() for key in ("username", "name")}
    concerns(request, given["username"])
    try:
        made = await services_of(request).organizations.create(person, given["username"], name=given["name"])
    except ApiError as error:
        return _create_page(given, error)
    request.session[ACTING_KEY] = made.username
    return Redirect(to=f"/organizations/{made.username}/members")


async def act(request: Request) -> Redirect:
    """Act for an organization from now on, in this browser, or for oneself again."""
    person, form = require_person(request), await read_form(request)
    name = form.get("account", "").strip()
    concerns(request, name)
    if (
        await services_of(request).organizations.may_act(person, name)
        and name.lower() != person.username.lower()
    ):
        request.session[ACTING_KEY] = name
    else:
        request.session.pop(ACTING_KEY, None)
    return Redirect(to=local_path(form.get("next")))


async def members(request: Request) -> Page:
    """List members and who is invited; with forms for those who may decide about them."""
    return await _members_page(request, await _found(request))


async def put_member(request: Request) -> Page | Redirect:
    """Invite somebody, or change what a member may do."""
    organization, form = await _found(request), await read_form(request)
    given = {key: form.get(key, "").strip() for key in ("username", "role")}
    concerns(request, f"{organization.username}/{given['username']}: {given['role']}")
    try:
        await services_of(request).organizations.put_member(
            require_person(request), organization.username, given["username"], _role(given["role"])
        )
    except ApiError as error:
        return await _members_page(request, organization, given, error)
    return Redirect(to=f"/organizations/{organization.username}/members")


async def remove_member(request: Request) -> Page | Redirect:
    """Remove a member, or take an invitation back; one's own name leaves or declines, also without being a member."""
    person, path = require_person(request), request.path_params
    organizations = services_of(request).organizations
    try:
        await organizations.remove_member(person, path["organization"], path["username"])
    except ApiError as error:
        if organizations.role(person, path["organization"]) is None:
            raise
        return await _members_page(request, await _found(request), {}, error)
    if path["username"].lower() == person.username.lower():
        return Redirect(to="/organizations")
    return Redirect(to=f"/organizations/{path['organization']}/members")


async def join(request: Request) -> Redirect:
    """Accept an invitation."""
    found = await services_of(request).organizations.join(
        require_person(request), request.path_params["organization"]
    )
    return Redirect(to=f"/{found.username}")


async def settings(request: Request) -> Page:
    """Show what admins and owners can change."""
    return _settings_page(await _found(request), saved="saved" in request.query_params)


async def rename(request: Request) -> Page | Redirect:
    """Change the name that is shown."""
    organization, form = await _found(request), await read_form(request)
    try:
        await services_of(request).organizations.rename(
            require_person(request), organization.username, form.get("name", "")
        )
    except ApiError as error:
        return _settings_page(organization, error=error)
    return Redirect(to=f"/organizations/{organization.username}/settings?saved=1")


async def delete(request: Request) -> Page | Redirect:
    """Delete the organization, when its whole name was typed."""
    organization, form = await _found(request), await read_form(request)
    try:
        if form.get("confirm", "").strip().lower() != organization.username.lower():
            raise InvalidError(f"Type {organization.username} to delete it.")
        await services_of(request).organizations.delete(require_person(request), organization.username)
    except ApiError as error:
        return _settings_page(organization, error=error)
    return Redirect(to="/organizations")


async def _found(request: Request) -> Account:
    """Return the organization of the address, with the caller's role in it. Raises NotFoundError for others."""
    return await services_of(request).organizations.get(
        require_person(request), request.path_params["organization"]
    )


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        what = f"{text[:20]!r} is no role; there are {', '.join(Role)}."
        raise InvalidError(f"role: {what}", problems=[("role", what)]) from error


async def _members_page(
    request: Request,
    organization: Account,
    given: Mapping[str, str] | None = None,
    error: ApiError | None = None,
) -> Page:
    person = require_person(request)
    found = await services_of(request).organizations.members(person, organization.username)
    # Owners are made and changed by owners alone.
    decides = organization.role.covers(Role.ADMIN)
    roles = [role for role in Role if role is not Role.OWNER or organization.role is Role.OWNER]
    values: dict[str, Any] = {
        "members": found,
        "roles": roles,
        "decides": decides,
        "me": person.username,
        "given": {"username": "", "role": Role.READER, **(given or {})},
    }
    return _page(organization, "organization_members.html", "members", error=error, **values)


def _settings_page(organization: Account, *, saved: bool = False, error: ApiError | None = None) -> Page:
    return _page(organization, "organization_settings.html", "settings", error=error, saved=saved)


def _page(
    organization: Account, template: str, tab: str, *, error: ApiError | None = None, **values: Any
) -> Page:
    common = {
        "account": organization,
        "role": organization.role,
        "tab": tab,
        "problem": reason_of(error) if error else "",
    }
    return Page(
        template=template,
        title=tab_title(organization.username, tab),
        values={**common, **values},
        status=error.http_status if error else 200,
    )


def _create_page(values: Mapping[str, str], error: ApiError | None = None) -> Page:
    return Page(
        template="organization_create.html",
        title="New organization",
        values={"values": values, "problem": reason_of(error) if error else ""},
        status=error.http_status if error else 200,
    )
