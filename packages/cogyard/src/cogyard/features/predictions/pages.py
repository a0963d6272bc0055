"""A prediction's page, its card alone, and the list of the caller's predictions."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from cogyard.domain.values import Kind, Prediction, Status, Version
from cogyard.domain.webhooks import OWN
from cogyard.features.models import policy as models
from cogyard.features.page import Page, Redirect, older, services_of
from cogyard.features.predictions import policy
from cogyard.features.predictions.sought import filter_values, sought
from cogyard.features.webhooks.told import Told, told_of
from cogyard.http import ApiError, NotFoundError, caller_of, require_account, window

PER_PAGE = 50


async def listing(request: Request) -> Page:
    """List the caller's predictions, newest first, or those that are asked for."""
    account, wanted = require_account(request), sought(request)
    found = await services_of(request).predictions.list(
        account, window(request, limit=PER_PAGE), **wanted.asked
    )
    values = {
        "predictions": found.items,
        "more": older(request, found, **wanted.query),
        "running": any(not prediction.status.terminal for prediction in found.items),
        "deleted": "deleted" in request.query_params,
        **filter_values(wanted),
    }
    return Page(template="predictions.html", title="Predictions", values=values)


async def show(request: Request) -> Page:
    """Show one prediction: its input, its card, and whom it was told to; of an example what strangers may see."""
    account, services = caller_of(request).account, services_of(request)
    try:
        prediction = await _find(request)
    except NotFoundError:
        return await _example(request, await services.examples.get(account, request.path_params["id"]))
    values = {
        **await card_values(request, prediction, on_page=True),
        "told": await told_of(services, account, prediction) if account else Told(),
        "own": OWN,
        **await _as_example(request, prediction),
    }
    return _page(prediction, values)


async def _example(request: Request, prediction: Prediction) -> Page:
    values = await card_values(request, prediction, on_page=True, is_example=True)
    return _page(prediction, {**values, "told": Told(), "own": OWN})


def _page(prediction: Prediction, values: dict[str, Any]) -> Page:
    title = f"{prediction.kind.value.capitalize()} {prediction.id}"
    return Page(template="prediction.html", title=title, values=values)


async def _as_example(request: Request, prediction: Prediction) -> dict[str, bool]:
    """Say whether the caller may make a prediction an example of its model, and whether it is one."""
    services, account = services_of(request), caller_of(request).account
    owner, _, name = prediction.model.partition("/")
    may = prediction.status is Status.SUCCEEDED and not prediction.data_removed
    if not may or account is None or prediction.kind is not Kind.PREDICTION:
        return {"may_show": False, "is_shown": False}
    try:
        model = await services.models.get(account, owner, name)
        shown = await services.examples.find(account, owner, name, prediction.id)
    except ApiError:
        return {"may_show": False, "is_shown": False}
    return {"may_show": models.may_change(account, model), "is_shown": shown is not None}


async def card(request: Request) -> Page:
    """Show the card alone, for a page that has it already and wants it fresh."""
    on_page = request.query_params.get("on") == "page"
    values = await card_values(request, await _find(request), on_page=on_page)
    return Page(template="card.html", values=values)


async def cancel(request: Request) -> Redirect:
    """Stop a prediction; where no script runs, this is what the Cancel button does."""
    account = require_account(request)
    prediction = await services_of(request).predictions.cancel(account, request.path_params["id"])
    return Redirect(to=f"/p/{prediction.id}")


async def delete(request: Request) -> Redirect:
    """Delete a prediction that has ended, with its files."""
    account, services = require_account(request), services_of(request)
    prediction = await services.predictions.get(account, request.path_params["id"])
    await services.predictions.delete(account, prediction.id)
    room = "trainings" if prediction.kind is Kind.TRAINING else "predictions"
    return Redirect(to=f"/{room}?deleted=1")


async def version_of(request: Request, prediction: Prediction) -> Version | None:
    """Return the version that made a prediction, or None when it is gone or private by now.

    The prediction stays its author's all the same, shown without a schema.
    """
    owner, _, name = prediction.model.partition("/")
    account = caller_of(request).account
    try:
        return await services_of(request).versions.get(account, owner, name, prediction.version)
    except ApiError:
        return None


async def card_values(
    request: Request, prediction: Prediction, *, on_page: bool, is_example: bool = False
) -> dict[str, Any]:
    """Return what the template of a card needs; an example is shown as to a stranger."""
    account = caller_of(request).account
    waits = prediction.status is Status.STARTING
    return {
        "prediction": prediction,
        "made_by": await version_of(request, prediction),
        "is_author": not is_example and policy.may_see(account, prediction),
        "may_delete": account is not None and policy.may_change(account, prediction),
        "is_example": is_example,
        "on_page": on_page,
        "instances_at": await _instances_of(request, prediction),
        "place": await services_of(request).predictions.place(prediction.id) if waits else None,
    }


async def _instances_of(request: Request, prediction: Prediction) -> str:
    """Return where the caller sees the instances that a prediction waits for or failed by, or nothing."""
    account = caller_of(request).account
    unstarted = not prediction.began and prediction.status in {Status.STARTING, Status.FAILED}
    if account is None or not unstarted:
        return ""
    if prediction.deployment is not None:
        return f"/deployments/{prediction.deployment}/instances"
    owner, _, name = prediction.model.partition("/")
    try:
        model = await services_of(request).models.get(account, owner, name)
    except ApiError:
        return ""
    shown = f"/{model.path}/instances?version={prediction.version}"
    return shown if models.may_change(account, model) else ""


async def _find(request: Request) -> Prediction:
    return await services_of(request).predictions.get(caller_of(request).account, request.path_params["id"])
