"""A model's examples: shown to whoever sees the model, chosen by whoever may change it."""

from __future__ import annotations

from starlette.requests import Request

from cogyard.features.models.pages import Shown, find
from cogyard.features.page import Page, Redirect, older, read_form, services_of
from cogyard.features.predictions.pages import version_of
from cogyard.http import NotFoundError, caller_of, require_account, window
from cogyard.http.concerns import concerns

PER_PAGE = 10


async def listing(request: Request) -> Page:
    """List a model's examples, the one added last first."""
    shown, account = await find(request), caller_of(request).account
    services, model = services_of(request), shown.model
    found = await services.examples.list(
        account, model.owner, model.name, window(request, limit=PER_PAGE, key_types=(int,))
    )
    default = (await services.examples.defaults([model])).get(model.id)
    return shown.page(
        "examples.html",
        "examples",
        examples=[(each, await version_of(request, each)) for each in found.items],
        default=default.id if default is not None else "",
        more=older(request, found),
    )


async def add(request: Request) -> Redirect:
    """Make a prediction an example, or the default one."""
    account, shown, form = require_account(request), await _owned(request), await read_form(request)
    model, prediction = shown.model, form.get("prediction", "")
    concerns(request, f"{model.path}/{prediction[:40]}")
    await services_of(request).examples.add(
        account, model.owner, model.name, prediction, default=bool(form.get("default"))
    )
    return Redirect(to=f"/{model.path}/examples")


async def remove(request: Request) -> Redirect:
    """Make an example none; the prediction stays."""
    account, shown = require_account(request), await _owned(request)
    model = shown.model
    await services_of(request).examples.remove(account, model.owner, model.name, request.path_params["id"])
    return Redirect(to=f"/{model.path}/examples")


async def _owned(request: Request) -> Shown:
    shown = await find(request)
    if not shown.is_owner:
        raise NotFoundError
    return shown
