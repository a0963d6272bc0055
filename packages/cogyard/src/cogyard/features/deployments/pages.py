"""Deployments: their list, and a deployment's page with its tabs; what it ran and on what is in `ran_pages`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from cogyard.domain.deployments import (
    MAX_INSTANCES_LIMIT,
    MIN_INSTANCES_LIMIT,
    Configuration,
    Deployment,
    Split,
)
from cogyard.domain.names import split_model
from cogyard.domain.paging import Window
from cogyard.domain.values import Account, Version
from cogyard.features.bench import NOTHING, Code, Form, Plain, sent
from cogyard.features.deployments import policy
from cogyard.features.deployments.service import Wanted
from cogyard.features.keeping import keep_of
from cogyard.features.models.pages import again, named_prediction, object_of
from cogyard.features.page import Page, Redirect, older, read_form, reason_of, services_of, tab_title
from cogyard.features.predictions.pages import card_values
from cogyard.http import Addresses, ApiError, InvalidError, NotFoundError, require_account, window
from cogyard.http.concerns import concerns
from cogyard.http.traces import trace_of

PER_PAGE = 25
#: Versions that may be chosen from a list; an older one is kept while it runs.
CHOICES = 50
FIELDS = ("name", "model", "version", "hardware", "min_instances", "max_instances", "split", "percent")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A deployment as its page shows it; `version` is what its current release runs, None when that is gone."""

    deployment: Deployment
    version: Version | None
    may_change: bool

    def page(self, template: str, tab: str, **values: Any) -> Page:
        """Return one of its tabs."""
        common = {
            "deployment": self.deployment,
            "version": self.version,
            "may_change": self.may_change,
            "tab": tab,
        }
        return Page(
            template=template, title=tab_title(self.deployment.path, tab), values={**common, **values}
        )

    @property
    def code(self) -> Code:
        """What the examples of code call."""
        path = self.deployment.path
        store = self.deployment.release.configuration.version
        return Code(refresh=f"/deployments/{path}/snippets", store=store, place="Run tab", deployment=path)


async def listing(request: Request) -> Page:
    """List the caller's deployments, newest first."""
    asked = window(request, limit=PER_PAGE, key_types=(int,))
    found = await services_of(request).deployments.list(require_account(request), asked)
    values = {"deployments": found.items, "more": older(request, found)}
    return Page(template="deployments.html", title="Deployments", values=values)


async def ask(request: Request) -> Page:
    """Ask what the new deployment runs, and on what."""
    account = require_account(request)
    model = request.query_params.get("model", "")[:200]
    given = {
        "name": model.partition("/")[2][:64],
        "model": model,
        "version": request.query_params.get("version", "")[:64],
        "min_instances": "0",
        "max_instances": "1",
    }
    return await _create_page(request, account, given)


async def create(request: Request) -> Page | Redirect:
    """Make a deployment of the caller's; without a version it runs the model's latest."""
    account, given = require_account(request), await _given(request)
    services = services_of(request)
    concerns(request, f"{account.username}/{given['name']}")
    try:
        version = given["version"] or await _latest(request, account, given["model"])
        configuration = Configuration(
            version=version,
            hardware=given["hardware"],
            min_instances=_whole(given, "min_instances"),
            max_instances=_whole(given, "max_instances"),
        )
        made = await services.deployments.create(account, given["name"], given["model"], configuration)
    except ApiError as error:
        return await _create_page(request, account, given, error)
    return Redirect(to=f"/deployments/{made.path}")


async def show(request: Request) -> Page:
    """Show the form that asks the deployment, and which of its instances live."""
    return await _bench(request, await find(request))


async def run(request: Request) -> Page | Redirect:
    """Ask for a prediction by a form that was sent without a script."""
    account, shown, plain = require_account(request), await find(request), await sent(request)
    deployment = shown.deployment
    try:
        made = await services_of(request).deployments.predict(
            account,
            deployment.owner,
            deployment.name,
            input=plain.input(),
            source="web",
            origin=Addresses.of(request).base,
            trace=trace_of(request),
        )
    except ApiError as error:
        page = await _bench(request, shown, replace(plain, problem=reason_of(error)))
        return replace(page, status=error.http_status)
    return Redirect(to=f"/p/{made.id}")


async def api(request: Request) -> Page:
    """Show code that asks the deployment."""
    shown, prediction = await find(request), await named_prediction(request)
    given = again(prediction) if prediction else None
    return shown.page("deployment_api.html", "api", given=given, from_form=False, call=shown.code)


async def snippets(request: Request) -> Page:
    """Show the same code for the input that is in the form now."""
    shown, form = await find(request), await read_form(request)
    if shown.version is None:
        raise NotFoundError
    given = object_of(form.get("input", ""))
    values = {"version": shown.version, "given": given, "from_form": bool(given), "call": shown.code}
    return Page(template="snippets.html", values=values)


async def releases(request: Request) -> Page:
    """List what the deployment was, newest first."""
    return await _releases_page(request, await find(request))


async def roll_back(request: Request) -> Page | Redirect:
    """Make a release that is as an earlier one was."""
    account, shown, form = require_account(request), await find(request), await read_form(request)
    deployment = shown.deployment
    try:
        number = _whole(form, "release")
        await services_of(request).deployments.roll_back(account, deployment.owner, deployment.name, number)
    except ApiError as error:
        page = await _releases_page(request, shown, problem=reason_of(error))
        return replace(page, status=error.http_status)
    return Redirect(to=f"/deployments/{deployment.path}/releases?done=1")


async def settings(request: Request) -> Page:
    """Show what the next release may change."""
    shown = await find(request)
    return await _settings_page(
        request, shown, _settings_of(shown.deployment), saved="saved" in request.query_params
    )


async def save(request: Request) -> Page | Redirect:
    """Make the next release."""
    account, shown, given = require_account(request), await find(request), await _given(request)
    deployment = shown.deployment
    try:
        split = Split(version=given["split"], percent=_whole(given, "percent")) if given["split"] else None
        wanted = Wanted(
            version=given["version"],
            hardware=given["hardware"],
            min_instances=_whole(given, "min_instances"),
            max_instances=_whole(given, "max_instances"),
            split=split,
            splits=True,
        )
        await services_of(request).deployments.update(account, deployment.owner, deployment.name, wanted)
    except ApiError as error:
        page = await _settings_page(request, shown, given, problem=reason_of(error))
        return replace(page, status=error.http_status)
    return Redirect(to=f"/deployments/{deployment.path}/settings?saved=1")


async def save_data(request: Request) -> Page | Redirect:
    """Set how long predictions of the deployment hold their data."""
    account, shown, form = require_account(request), await find(request), await read_form(request)
    deployment, text = shown.deployment, form.get("keep", "")
    try:
        await services_of(request).retention.set_of_deployment(
            account, deployment.owner, deployment.name, keep_of(text)
        )
    except ApiError as error:
        values = {**_settings_of(deployment), "keep": text}
        page = await _settings_page(request, shown, values, problem=reason_of(error))
        return replace(page, status=error.http_status)
    return Redirect(to=f"/deployments/{deployment.path}/settings?saved=1")


async def delete(request: Request) -> Page | Redirect:
    """Delete the deployment, when its whole name was typed."""
    account, shown, form = require_account(request), await find(request), await read_form(request)
    deployment = shown.deployment
    try:
        if form.get("confirm", "").strip().lower() != deployment.path.lower():
            raise InvalidError(f"Type {deployment.path} to delete it.")
        await services_of(request).deployments.delete(account, deployment.owner, deployment.name)
    except ApiError as error:
        page = await _settings_page(request, shown, _settings_of(deployment), problem=reason_of(error))
        return replace(page, status=error.http_status)
    return Redirect(to="/deployments")


async def find(request: Request) -> Shown:
    """Return the deployment that the address names, with the version that it runs. Raises NotFoundError."""
    account, path = require_account(request), request.path_params
    deployment = await services_of(request).deployments.get(account, path["owner"], path["name"])
    version = await _version(request, account, deployment, deployment.release.configuration.version)
    return Shown(deployment=deployment, version=version, may_change=policy.may_change(account, deployment))


def live_at(deployment: Deployment) -> str:
    """Return where the part of a page is that shows which instances live."""
    return f"/deployments/{deployment.path}/living"


async def _version(request: Request, account: Account, deployment: Deployment, id: str) -> Version | None:
    owner, _, name = deployment.model.partition("/")
    try:
        return await services_of(request).versions.get(account, owner, name, id)
    except ApiError:
        # Its model has become private to somebody else, or is gone; the deployment can still be looked at.
        return None


async def _bench(request: Request, shown: Shown, plain: Plain = NOTHING) -> Page:
    deployment, prediction = shown.deployment, await named_prediction(request)
    if prediction is not None and prediction.deployment_id != deployment.id:
        prediction = None
    live = await card_values(request, prediction, on_page=False) if prediction is not None else {}
    fared = await services_of(request).instances.of_deployment(
        require_account(request), deployment, ended=False
    )
    common = {
        "widgets_of": "Input",
        "form": Form(
            post=f"/v1/deployments/{deployment.path}/predictions", plain=f"/deployments/{deployment.path}/run"
        ),
        "plain": plain,
        "fared": fared,
        "live_at": live_at(deployment),
        "given": again(prediction) if prediction is not None else {},
        "prediction": None,
    }
    return shown.page("deployment.html", "run", **{**common, **live})


async def _releases_page(request: Request, shown: Shown, *, problem: str = "") -> Page:
    account, deployment = require_account(request), shown.deployment
    asked = window(request, limit=PER_PAGE, key_types=(int,))
    _, found = await services_of(request).deployments.releases(
        account, deployment.owner, deployment.name, asked
    )
    return shown.page(
        "releases.html",
        "releases",
        releases=found.items,
        more=older(request, found),
        problem=problem,
        done="done" in request.query_params,
    )


async def _settings_page(
    request: Request, shown: Shown, values: Mapping[str, str], *, saved: bool = False, problem: str = ""
) -> Page:
    account, deployment = require_account(request), shown.deployment
    kept = await services_of(request).retention.of_deployment(account, deployment.owner, deployment.name)
    return shown.page(
        "deployment_settings.html",
        "settings",
        values={"keep": "" if kept.own is None else str(kept.own), **values},
        saved=saved,
        problem=problem,
        **await _choices(request, account, deployment.model, keep=(values["version"], values["split"])),
    )


async def _create_page(
    request: Request, account: Account, values: Mapping[str, str], error: ApiError | None = None
) -> Page:
    own = await services_of(request).models.by_owner(account, account.username, Window(limit=CHOICES))
    shown = {**dict.fromkeys(FIELDS, ""), **values}
    return Page(
        template="deployment_create.html",
        title="New deployment",
        values={
            "values": shown,
            "problem": reason_of(error) if error else "",
            "models": [model.path for model in own.items if model.latest_version],
            **await _choices(request, account, shown["model"], keep=(shown["version"],)),
        },
        status=error.http_status if error else 200,
    )


async def _choices(
    request: Request, account: Account, model: str, *, keep: tuple[str, ...]
) -> dict[str, Any]:
    """Return the versions and kinds of hardware to choose from; `keep` are versions that must be among them."""
    services, parts = services_of(request), split_model(model)
    try:
        found = await services.versions.list(account, *parts, Window(limit=CHOICES)) if parts else None
    except ApiError:
        found = None
    listed = [(each.id, each.created_at) for each in found.items] if found is not None else []
    known = {id_ for id_, _ in listed}
    return {
        "versions": [*listed, *((id_, None) for id_ in dict.fromkeys(keep) if id_ and id_ not in known)],
        "hardware": await services.hardware.list(),
        "limits": (MIN_INSTANCES_LIMIT, MAX_INSTANCES_LIMIT),
    }


async def _latest(request: Request, account: Account, model: str) -> str:
    """Return the latest version of a model, or nothing: the service says what is wrong with that."""
    parts = split_model(model)
    try:
        found = await services_of(request).models.get(account, *parts) if parts else None
    except NotFoundError:
        return ""
    if found is not None and found.latest_version is None:
        what = f"{found.path} has no version yet; push one first."
        raise InvalidError(what, problems=[("model", what)])
    return (found.latest_version or "") if found is not None else ""


def _settings_of(deployment: Deployment) -> dict[str, str]:
    now = deployment.release.configuration
    return {
        "version": now.version,
        "hardware": now.hardware,
        "min_instances": str(now.min_instances),
        "max_instances": str(now.max_instances),
        "split": now.split.version if now.split else "",
        "percent": str(now.split.percent) if now.split else "",
    }


async def _given(request: Request) -> dict[str, str]:
    form = await read_form(request)
    return {key: form.get(key, "").strip() for key in FIELDS}


def _whole(given: Mapping[str, str], name: str) -> int:
    """Return a field that must be a whole number. Raises InvalidError."""
    text = given.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        what = f"{name.replace('_', ' ').capitalize()} must be a whole number, not {text[:20]!r}."
        raise InvalidError(what, problems=[(name, what)])
    return int(text)
