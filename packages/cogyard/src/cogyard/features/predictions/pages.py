"""A prediction's page, its card alone, and the list of the caller's predictions."""

from __future__ import annotations

from starlette.requests import Request

from cogyard.domain.values import Prediction, Version
from cogyard.features.page import Page, Redirect, older, services_of
from cogyard.http import ApiError, caller_of, require_account, window

PER_PAGE = 50


async def listing(request: Request) -> Page:
    """List the caller's predictions, newest first."""
    account = require_account(request)
    found = await services_of(request).predictions.list(account, window(request, limit=PER_PAGE))
    values = {
        "predictions": found.items,
        "more": older(request, found),
        "running": any(not prediction.status.terminal for prediction in found.items),
    }
    return Page(template="predictions.html", title="Predictions", values=values)


async def show(request: Request) -> Page:
    """Show one prediction: its input, and its card."""
    prediction, version = await _find(request)
    values = {**_card_values(request, prediction, version), "on_page": True}
    return Page(template="prediction.html", title=f"Prediction {prediction.id}", values=values)


async def card(request: Request) -> Page:
    """Show the card alone, for a page that has it already and wants it fresh."""
    prediction, version = await _find(request)
    on_page = request.query_params.get("on") == "page"
    values = {**_card_values(request, prediction, version), "on_page": on_page}
    return Page(template="card.html", values=values)


async def cancel(request: Request) -> Redirect:
    """Stop a prediction; where no script runs, this is what the Cancel button does."""
    account = require_account(request)
    prediction = await services_of(request).predictions.cancel(account, request.path_params["id"])
    return Redirect(to=f"/p/{prediction.id}")


async def _find(request: Request) -> tuple[Prediction, Version | None]:
    services, account = services_of(request), caller_of(request).account
    prediction = await services.predictions.get(account, request.path_params["id"])
    owner, _, name = prediction.model.partition("/")
    try:
        # The model may be gone, or private by now: the prediction stays its author's, without a schema.
        version = await services.versions.get(account, owner, name, prediction.version)
    except ApiError:
        version = None
    return prediction, version


def _card_values(request: Request, prediction: Prediction, version: Version | None) -> dict[str, object]:
    account = caller_of(request).account
    return {
        "prediction": prediction,
        "version": version,
        "is_author": account is not None and account.id == prediction.account_id,
    }
