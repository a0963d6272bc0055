"""A model's page and its tabs, and the pages that list models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from starlette.requests import Request

from cogyard.domain.paging import Window
from cogyard.domain.values import Model, Prediction, Version, Visibility
from cogyard.features.bench import NOTHING, Code, Form, Plain, sent
from cogyard.features.models import policy
from cogyard.features.page import Page, Redirect, older, read_form, reason_of, services_of, tab_title
from cogyard.features.predictions.pages import card_values
from cogyard.features.usage.pages import charts
from cogyard.features.usage.ports import About
from cogyard.http import Addresses, ApiError, NotFoundError, caller_of, require_account, window
from cogyard.http.concerns import concerns
from cogyard.http.traces import trace_of

ON_HOME = 8
PER_PAGE = 25


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A model as its page shows it: the version in view, if any, and what the caller is to it."""

    model: Model
    version: Version | None
    is_owner: bool
    """Whether the caller may change it."""
    governs: bool
    """Whether the caller may delete it, and say who sees it."""

    def page(self, template: str, tab: str, **values: Any) -> Page:
        """Return one of its tabs."""
        common = {
            "model": self.model,
            "version": self.version,
            "is_owner": self.is_owner,
            "governs": self.governs,
            "tab": tab,
        }
        return Page(template=template, title=tab_title(self.model.path, tab), values={**common, **values})


async def home(request: Request) -> Page:
    """Show what this place is, or to whom is signed in what is theirs."""
    services, account = services_of(request), caller_of(request).account
    if account is None:
        public = await services.models.list(None, Window(limit=ON_HOME))
        return Page(template="home.html", values={"models": public.items})
    own = await services.models.by_owner(account, account.username, Window(limit=ON_HOME))
    latest = await services.predictions.list(account, Window(limit=ON_HOME))
    drawn = await charts(request, About(account_id=account.id))
    values = {"models": own.items, "predictions": latest.items, **drawn}
    return Page(template="dashboard.html", values=values)


async def explore(request: Request) -> Page:
    """List public models, or those that match."""
    services, account = services_of(request), caller_of(request).account
    query = request.query_params.get("q", "").strip()[:200]
    if query:
        found = await services.models.search(account, query)
        return Page(
            template="explore.html",
            title="Explore",
            values={"models": found.items, "query": query, "more": None},
        )
    listed = await services.models.list(account, window(request, limit=PER_PAGE, key_types=(int, int)))
    values = {"models": listed.items, "query": "", "more": older(request, listed)}
    return Page(template="explore.html", title="Explore", values=values)


async def profile(request: Request) -> Page:
    """Show an account and those of its models that the caller may see."""
    services, caller = services_of(request), caller_of(request).account
    account = await services.accounts.get(request.path_params["owner"])
    if account is None:
        raise NotFoundError
    found = await services.models.by_owner(
        caller, account.username, window(request, limit=PER_PAGE, key_types=(int,))
    )
    role = caller.role_in(account.username) if caller is not None and account.type == "organization" else None
    values = {"account": account, "models": found.items, "more": older(request, found), "role": role}
    return Page(template="profile.html", title=account.username, values=values)


async def ask_for_model(request: Request) -> Page:
    """Ask what the new model is called."""
    require_account(request)
    return _create_page(
        {"name": request.query_params.get("name", "")[:64], "description": "", "visibility": "private"}
    )


async def create(request: Request) -> Page | Redirect:
    """Make a model of the caller's."""
    account, form = require_account(request), await read_form(request)
    given = {key: form.get(key, "").strip() for key in ("name", "description", "visibility")}
    concerns(request, f"{account.username}/{given['name']}")
    try:
        model = await services_of(request).models.create(
            account,
            account.username,
            given["name"],
            visibility=visibility_of(given["visibility"]),
            description=given["description"] or None,
        )
    except ApiError as error:
        return _create_page(given, error)
    return Redirect(to=f"/{model.path}")


async def playground(request: Request) -> Page:
    """Show the form of the latest version, or how to push the first."""
    shown = await find(request)
    if shown.version is None:
        return shown.page("model_empty.html", "playground")
    return await bench(request, shown, shown.version, pinned=False)


async def bench(
    request: Request, shown: Shown, version: Version, *, pinned: bool, plain: Plain = NOTHING
) -> Page:
    """Show a version's form, filled with the prediction that the address names, if any."""
    prediction = await named_prediction(request)
    if prediction is not None and prediction.model != shown.model.path:
        prediction = None
    live = await card_values(request, prediction, on_page=False) if prediction is not None else {}
    if prediction is None and (prediction := await _example(request, shown, version)) is not None:
        live = await card_values(request, prediction, on_page=False, is_example=True)
    common = {
        "version": version,
        "widgets_of": "Input",
        "form": Form(post="/v1/predictions", plain=f"/{shown.model.path}/run", sends_version=True),
        "plain": plain,
        "pinned": pinned,
        "given": again(prediction) if prediction is not None else {},
        "prediction": None,
    }
    page = shown.page("playground.html", "versions" if pinned else "playground", **{**common, **live})
    return replace(page, title=f"Version {version.id[:8]} · {shown.model.path}") if pinned else page


async def run(request: Request) -> Page | Redirect:
    """Ask for a prediction by a form that was sent without a script."""
    account, shown, plain = require_account(request), await find(request), await sent(request)
    services, model = services_of(request), shown.model
    version = await services.versions.get(account, model.owner, model.name, plain.fields.get("version", ""))
    try:
        made = await services.predictions.create(
            account,
            version=version,
            input=plain.input(),
            source="web",
            origin=Addresses.of(request).base,
            trace=trace_of(request),
        )
    except ApiError as error:
        refused = replace(plain, problem=reason_of(error))
        page = await bench(request, shown, version, pinned=version.id != model.latest_version, plain=refused)
        return replace(page, status=error.http_status)
    return Redirect(to=f"/p/{made.id}")


async def api(request: Request) -> Page:
    """Show code that runs the model."""
    shown = await find(request)
    if shown.version is None:
        return shown.page("model_empty.html", "api")
    prediction = await named_prediction(request)
    given = again(prediction) if prediction else None
    return shown.page("api.html", "api", given=given, from_form=False, call=_code(shown.model, shown.version))


async def snippets(request: Request) -> Page:
    """Show the same code for the input that is in the form now."""
    shown, form = await find(request), await read_form(request)
    version = await services_of(request).versions.get(
        caller_of(request).account, shown.model.owner, shown.model.name, form.get("version", "")
    )
    given = object_of(form.get("input", ""))
    values = {
        "version": version,
        "given": given,
        "from_form": bool(given),
        "call": _code(shown.model, version),
    }
    return Page(template="snippets.html", values=values)


def _code(model: Model, version: Version) -> Code:
    return Code(refresh=f"/{model.path}/snippets", store=version.id, place="Playground")


async def readme(request: Request) -> Page:
    """Show what the owner wrote."""
    return (await find(request)).page("readme.html", "readme")


async def waiting(request: Request) -> Page:
    """Say whether the first version has come; asked again and again by the page that waits for it."""
    shown = await find(request)
    return Page(template="waiting.html", values={"model": shown.model})


async def find(request: Request) -> Shown:
    """Return the model that the address names, with its latest version. Raises NotFoundError."""
    services, account = services_of(request), caller_of(request).account
    owner, name = request.path_params["owner"], request.path_params["name"]
    model = await services.models.get(account, owner, name)
    latest = model.latest_version
    version = await services.versions.get(account, owner, name, latest) if latest else None
    return Shown(
        model=model,
        version=version,
        is_owner=policy.may_change(account, model),
        governs=policy.may_govern(account, model),
    )


def again(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction's input to start from; secrets are typed anew."""
    return {key: value for key, value in prediction.input.items() if key not in prediction.secret_inputs}


async def owned(request: Request) -> Shown:
    """Return the model that the address names, for whoever may change it. Raises NotFoundError."""
    shown = await find(request)
    if not shown.is_owner:
        raise NotFoundError
    return shown


async def _example(request: Request, shown: Shown, version: Version) -> Prediction | None:
    """Return the example that the address names, or the default one of the version, if any."""
    services, model = services_of(request), shown.model
    if wanted := request.query_params.get("prediction"):
        return await services.examples.find(caller_of(request).account, model.owner, model.name, wanted)
    default = (await services.examples.defaults([model])).get(model.id)
    return default if default is not None and default.version == version.id else None


async def named_prediction(request: Request) -> Prediction | None:
    """Return the prediction of `?prediction=`; an address with a wrong one still shows the page."""
    wanted = request.query_params.get("prediction")
    if not wanted:
        return None
    try:
        return await services_of(request).predictions.get(caller_of(request).account, wanted)
    except ApiError:
        return None


def _create_page(values: Mapping[str, str], error: ApiError | None = None) -> Page:
    return Page(
        template="create.html",
        title="New model",
        values={"values": values, "problem": reason_of(error) if error else ""},
        status=error.http_status if error else 200,
    )


def visibility_of(text: str) -> Visibility:
    """Read the choice of a form."""
    # Anything but a clear "public" is private: the safe side of a form that was tampered with.
    return Visibility.PUBLIC if text == Visibility.PUBLIC.value else Visibility.PRIVATE


def object_of(text: str) -> dict[str, Any]:
    """Return the object that a text is, or an empty one: of a page's own script, and never more than shown."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
