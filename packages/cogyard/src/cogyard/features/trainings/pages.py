"""Trainings: the caller's list, and the tab of a model that can be trained."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request

from cogyard.domain.paging import Window
from cogyard.domain.values import Kind
from cogyard.features.bench import NOTHING, Code, Form, Plain, sent
from cogyard.features.models.pages import Shown, again, find, named_prediction, object_of
from cogyard.features.page import Page, Redirect, older, read_form, reason_of, services_of
from cogyard.features.predictions.pages import card_values
from cogyard.features.predictions.sought import filter_values, sought
from cogyard.features.trainings.service import trainable
from cogyard.http import Addresses, ApiError, NotFoundError, caller_of, require_account, window

PER_PAGE = 50
#: Models of the caller's that a destination may be chosen from; any other is typed.
CHOICES = 50


async def listing(request: Request) -> Page:
    """List the caller's trainings, newest first, or those that are asked for."""
    account, wanted = require_account(request), sought(request)
    found = await services_of(request).trainings.list(
        account, window(request, limit=PER_PAGE), **wanted.asked
    )
    values = {
        "trainings": found.items,
        "more": older(request, found, **wanted.query),
        "running": any(not each.status.terminal for each in found.items),
        "deleted": "deleted" in request.query_params,
        **filter_values(wanted),
    }
    return Page(template="trainings.html", title="Trainings", values=values)


async def ask(request: Request) -> Page:
    """Show the form that trains the latest version."""
    return await _bench(request, await _find(request))


async def create(request: Request) -> Page | Redirect:
    """Ask for a training by a form that was sent without a script."""
    account, shown, plain = require_account(request), await _find(request), await sent(request)
    owner, name = shown.model.owner, shown.model.name
    try:
        made = await services_of(request).trainings.create(
            account,
            (owner, name, plain.fields.get("version", "")),
            destination=plain.fields.get("destination", "").strip(),
            input=plain.input(),
            source="web",
            origin=Addresses.of(request).base,
        )
    except ApiError as error:
        page = await _bench(request, shown, replace(plain, problem=reason_of(error)))
        return replace(page, status=422 if isinstance(error, NotFoundError) else error.http_status)
    return Redirect(to=f"/p/{made.id}")


async def snippets(request: Request) -> Page:
    """Show code that trains, for the input that is in the form now."""
    shown, form = await _find(request), await read_form(request)
    given = object_of(form.get("input", ""))
    values = {
        "version": shown.version,
        "given": given,
        "from_form": bool(given),
        "call": _code(request, shown),
    }
    return Page(template="snippets.html", values=values)


async def _find(request: Request) -> Shown:
    """Return the model that the address names; one that cannot be trained has no such page. Raises NotFoundError."""
    shown = await find(request)
    if shown.version is None or not trainable(shown.version):
        raise NotFoundError
    return shown


async def _bench(request: Request, shown: Shown, plain: Plain = NOTHING) -> Page:
    account, prediction = caller_of(request).account, await named_prediction(request)
    if prediction is not None and (
        prediction.model != shown.model.path or prediction.kind is not Kind.TRAINING
    ):
        prediction = None
    services = services_of(request)
    own: tuple[str, ...] = ()
    if account is not None:
        listed = await services.models.by_owner(account, account.username, Window(limit=CHOICES))
        own = tuple(model.path for model in listed.items)
    chosen = plain.fields.get("destination") or (prediction.destination if prediction else None)
    live = await card_values(request, prediction, on_page=False) if prediction is not None else {}
    version = shown.version.id if shown.version else ""
    common = {
        "widgets_of": "TrainingInput",
        "form": Form(
            post=f"/v1/models/{shown.model.path}/versions/{version}/trainings",
            plain=f"/{shown.model.path}/train",
            verb="Train",
            nothing="This training takes no input.",
            idle="Choose a model of yours and fill in the input; the training makes a version of that model.",
            destination=chosen or "",
            destinations=own,
        ),
        "plain": plain,
        "call": _code(request, shown),
        "from_form": False,
        "given": again(prediction) if prediction is not None else {},
        "prediction": None,
    }
    return shown.page("train.html", "train", **{**common, **live})


def _code(request: Request, shown: Shown) -> Code:
    account = caller_of(request).account
    return Code(
        refresh=f"/{shown.model.path}/train/snippets",
        store=f"{shown.version.id if shown.version else ''}:train",
        place="Train tab",
        destination=f"{account.username if account else 'you'}/{shown.model.name}-trained",
    )
