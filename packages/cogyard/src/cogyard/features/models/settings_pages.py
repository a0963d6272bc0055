"""What whoever may change a model sets on its pages: texts, links, hardware, how long data is kept, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request

from cogyard.domain.values import Model, Visibility
from cogyard.features.instances.service import Fared
from cogyard.features.keeping import keep_of
from cogyard.features.limits.ports import MINUTE, ModelLimits
from cogyard.features.models.pages import Shown, owned, visibility_of
from cogyard.features.models.service import KEPT, Kept
from cogyard.features.page import Page, Redirect, read_form, reason_of, services_of
from cogyard.features.usage.pages import charts
from cogyard.features.usage.ports import About
from cogyard.http import ApiError, InvalidError, require_account

LINKS = ("github_url", "paper_url", "license_url", "weights_url", "cover_image_url")
TEXTS = ("description", "readme", "hardware", *LINKS)


async def settings(request: Request) -> Page:
    """Show what can be changed."""
    return await _page(request, await owned(request), saved="saved" in request.query_params)


async def save(request: Request) -> Page | Redirect:
    """Change texts, links, hardware and visibility; a field that is not sent stays."""
    shown, form = await owned(request), await read_form(request)
    given = {key: form[key].strip().replace("\r\n", "\n") for key in TEXTS if key in form}
    changes: dict[str, str | Visibility | Kept | None] = {
        **{key: given.get(key, KEPT) for key in TEXTS},
        "visibility": visibility_of(form.get("visibility", "").strip()),
    }
    try:
        await services_of(request).models.update(
            require_account(request), shown.model.owner, shown.model.name, **changes
        )
    except ApiError as error:
        return await _refused(request, shown, error, {**given, "visibility": form.get("visibility", "")})
    return Redirect(to=f"/{shown.model.path}/settings?saved=1")


async def save_data(request: Request) -> Page | Redirect:
    """Set how long predictions of the model hold their data."""
    shown, form = await owned(request), await read_form(request)
    account, model = require_account(request), shown.model
    try:
        keep = keep_of(form.get("keep", ""))
        await services_of(request).retention.set_of_model(account, model.owner, model.name, keep)
    except ApiError as error:
        return await _refused(request, shown, error, {"keep": form.get("keep", "")})
    return Redirect(to=f"/{model.path}/settings?saved=1")


async def save_limits(request: Request) -> Page | Redirect:
    """Set how much of the model may be asked for."""
    shown, form = await owned(request), await read_form(request)
    account, model = require_account(request), shown.model
    try:
        limits = ModelLimits(
            predictions=_count(form, "predictions"),
            window=_count(form, "window") or MINUTE,
            at_once=_count(form, "at_once"),
        )
        await services_of(request).limits.set(account, model.owner, model.name, limits)
    except ApiError as error:
        names = ("predictions", "window", "at_once")
        return await _refused(request, shown, error, {name: form.get(name, "") for name in names})
    return Redirect(to=f"/{model.path}/settings?saved=1")


async def delete(request: Request) -> Page | Redirect:
    """Delete the model, when its whole name was typed."""
    shown, form = await owned(request), await read_form(request)
    try:
        if form.get("confirm", "").strip().lower() != shown.model.path.lower():
            raise InvalidError(f"Type {shown.model.path} to delete it.")
        await services_of(request).models.delete(
            require_account(request), shown.model.owner, shown.model.name
        )
    except ApiError as error:
        return await _refused(request, shown, error, {})
    return Redirect(to=f"/{shown.model.owner}")


async def instances(request: Request) -> Page:
    """Show which instances of a version live, and how those before them ended; of the latest unless one is named."""
    shown, account = await owned(request), require_account(request)
    if shown.version is None:
        return shown.page("model_empty.html", "instances")
    of, model = request.query_params.get("version") or shown.version.id, shown.model
    found = await services_of(request).instances.of_version(account, model.owner, model.name, of)
    values = {"fared": found, "of": found[0].version, "live_at": _live_at(model, found)}
    kept = {"version": of} if "version" in request.query_params else {}
    drawn = await charts(request, About(model_id=model.id))
    return shown.page("model_instances.html", "instances", **values, **drawn, keeps=kept)


async def living(request: Request) -> Page:
    """Show which instances of a version live, alone: asked again and again by the page that shows it."""
    shown, account = await owned(request), require_account(request)
    model, of = shown.model, request.query_params.get("version", "")
    found = await services_of(request).instances.of_version(account, model.owner, model.name, of, ended=False)
    return Page(template="living.html", values={"fared": found, "live_at": _live_at(model, found)})


def _live_at(model: Model, found: Sequence[Fared]) -> str:
    return f"/{model.path}/living?version={found[0].version}"


async def _refused(request: Request, shown: Shown, error: ApiError, given: Mapping[str, str]) -> Page:
    page = await _page(request, shown, given=given, problem=reason_of(error))
    return replace(page, status=error.http_status)


async def _page(
    request: Request,
    shown: Shown,
    *,
    given: Mapping[str, str] | None = None,
    saved: bool = False,
    problem: str = "",
) -> Page:
    services, account, model = services_of(request), require_account(request), shown.model
    kept = await services.retention.of_model(account, model.owner, model.name)
    limits = await services.limits.get(account, model.owner, model.name)
    now = {
        **_texts_of(model),
        "keep": "" if kept.own is None else str(kept.own),
        "predictions": str(limits.predictions or ""),
        "window": str(limits.window),
        "at_once": str(limits.at_once or ""),
    }
    return shown.page(
        "settings.html",
        "settings",
        values={**now, **(given or {})},
        hardware=await services.hardware.list(),
        platform_keeps=str(kept.platform),
        saved=saved,
        problem=problem,
    )


def _texts_of(model: Model) -> dict[str, str]:
    texts = {key: getattr(model, key) or "" for key in TEXTS}
    return {**texts, "visibility": model.visibility.value}


def _count(form: Mapping[str, str], name: str) -> int | None:
    """Return a whole number, None for an empty field. Raises InvalidError."""
    text = form.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        what = f"{text[:20]!r} is not a whole number; leave the field empty for no limit."
        raise InvalidError(what, problems=[(name, what)])
    return int(text)
