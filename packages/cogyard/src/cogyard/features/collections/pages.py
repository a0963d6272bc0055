"""Collections: the platform's own, which the operator makes and changes here, and those of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request

from cogyard.domain.paging import Window
from cogyard.domain.values import Account
from cogyard.features.collections.ports import Collection
from cogyard.features.page import Page, Redirect, older, read_form, reason_of, services_of
from cogyard.http import ApiError, InvalidError, NotFoundError, caller_of, require_account, window
from cogyard.http.concerns import concerns

PER_PAGE = 50
BLANK = {"slug": "", "name": "", "description": "", "full_description": ""}


async def listing(request: Request) -> Page:
    """List the platform's collections and one's own; for who may make one with a form."""
    return await _list_page(request)


async def show(request: Request) -> Page:
    """Show a collection with those of its models that the caller may see."""
    account = caller_of(request).account
    collection, models = await services_of(request).collections.get(account, request.path_params["slug"])
    values = {
        "collection": collection,
        "models": models,
        "may_edit": services_of(request).collections.may_edit(account, collection.owner),
    }
    return Page(template="collection.html", title=collection.name, values=values)


async def create(request: Request) -> Page | Redirect:
    """Make a collection, the operator's for the platform; one of that slug is not overwritten."""
    account, given = require_account(request), await _given(request)
    services, prefix = services_of(request), _prefix(account)
    if not given["slug"].startswith(prefix):
        given["slug"] = prefix + given["slug"]
    concerns(request, given["slug"][:100])
    try:
        if await _exists(request, given["slug"]):
            what = f"There is a collection {given['slug'][:64]} already."
            raise InvalidError(what, problems=[("slug", what)])
        owner = account.username if prefix else None
        await services.collections.put(account, replace(_collection(given), owner=owner))
    except ApiError as error:
        page = await _list_page(request, values=given, problem=reason_of(error))
        return replace(page, status=error.http_status)
    return Redirect(to=f"/collections/{given['slug']}/edit")


async def edit(request: Request) -> Page:
    """Show what can be changed."""
    account = await _editor(request)
    return await _edit_page(request, account, saved="saved" in request.query_params)


async def save(request: Request) -> Page | Redirect:
    """Change a collection's texts."""
    account, slug = await _editor(request), request.path_params["slug"]
    given = {**await _given(request), "slug": slug}
    services = services_of(request)
    await services.collections.get(account, slug)
    try:
        await services.collections.put(account, _collection(given))
    except ApiError as error:
        page = await _edit_page(request, account, values=given, problem=reason_of(error))
        return replace(page, status=error.http_status)
    return Redirect(to=f"/collections/{slug}/edit?saved=1")


async def add_model(request: Request) -> Page | Redirect:
    """Put a model into a collection."""
    account, slug = await _editor(request), request.path_params["slug"]
    path = (await read_form(request)).get("model", "").strip().lower()
    services, (owner, _, name) = services_of(request), path.partition("/")
    concerns(request, f"{slug}/{path[:100]}")
    await services.collections.get(account, slug)
    try:
        await services.collections.add_model(account, slug, owner, name)
    except ApiError as error:
        what = f"There is no model {path[:100]!r}." if isinstance(error, NotFoundError) else reason_of(error)
        return replace(await _edit_page(request, account, problem=what), status=422)
    return Redirect(to=f"/collections/{slug}/edit")


async def remove_model(request: Request) -> Redirect:
    """Take a model out of a collection."""
    account, slug = await _editor(request), request.path_params["slug"]
    owner, _, name = (await read_form(request)).get("model", "").partition("/")
    concerns(request, f"{slug}/{owner[:100]}/{name[:100]}")
    await services_of(request).collections.remove_model(account, slug, owner, name)
    return Redirect(to=f"/collections/{slug}/edit")


async def delete(request: Request) -> Redirect:
    """Delete a collection; its models stay."""
    await services_of(request).collections.delete(await _editor(request), request.path_params["slug"])
    return Redirect(to="/collections")


async def _editor(request: Request) -> Account:
    """Return who may change the collection of the address; for anyone else there is no such page.

    Raises NotFoundError.
    """
    account, collections = require_account(request), services_of(request).collections
    found, _ = await collections.get(account, request.path_params["slug"])
    if not collections.may_edit(account, found.owner):
        raise NotFoundError
    return account


def _prefix(account: Account) -> str:
    """Return what the slugs of whoever asks begin with; the operator's are the platform's."""
    return "" if account.is_admin else f"{account.username}."


async def _list_page(request: Request, *, values: Mapping[str, str] = BLANK, problem: str = "") -> Page:
    account, collections = caller_of(request).account, services_of(request).collections
    found = await collections.list(account, window(request, limit=PER_PAGE))
    name = account.username if account is not None else None
    own = await collections.list(account, Window(limit=PER_PAGE), owner=name) if name is not None else None
    shown = {
        "own": own.items if own is not None else (),
        "prefix": _prefix(account) if account is not None else "",
        "collections": found.items,
        "more": older(request, found),
        "may_edit": collections.may_edit(account, name),
        "values": values,
        "problem": problem,
    }
    return Page(template="collections.html", title="Collections", values=shown)


async def _edit_page(
    request: Request,
    account: Account,
    *,
    values: Mapping[str, str] | None = None,
    problem: str = "",
    saved: bool = False,
) -> Page:
    collection, models = await services_of(request).collections.get(account, request.path_params["slug"])
    now = {
        "slug": collection.slug,
        "name": collection.name,
        "description": collection.description,
        "full_description": collection.full_description or "",
    }
    shown = {
        "collection": collection,
        "models": models,
        "values": values or now,
        "problem": problem,
        "saved": saved,
    }
    return Page(template="collection_edit.html", title=f"Edit {collection.name}", values=shown)


async def _exists(request: Request, slug: str) -> bool:
    try:
        await services_of(request).collections.get(caller_of(request).account, slug)
    except NotFoundError:
        return False
    return True


async def _given(request: Request) -> dict[str, str]:
    form = await read_form(request)
    return {key: form.get(key, "").strip().replace("\r\n", "\n") for key in BLANK}


def _collection(given: Mapping[str, str]) -> Collection:
    return Collection(
        slug=given["slug"],
        name=given["name"],
        description=given["description"],
        full_description=given["full_description"] or None,
    )
