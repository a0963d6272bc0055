"""What a deployment ran, and on what: its predictions, its instances, and charts of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from cogyard.features.deployments.pages import find, live_at
from cogyard.features.page import Page, older, services_of
from cogyard.features.predictions.pages import PER_PAGE
from cogyard.features.predictions.ports import Stages
from cogyard.features.usage.pages import charts
from cogyard.features.usage.ports import About
from cogyard.http import require_account, window

#: Longer words name no version and nobody.
_LONGEST = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sought:
    """What the filter of the list says; what it says wrongly it does not say."""

    status: str = ""
    version: str = ""
    who: str = ""

    @property
    def asked(self) -> Mapping[str, Any]:
        """Return it as `Predictions.list` takes it."""
        return {
            "stages": Stages(self.status) if self.status else None,
            "version": self.version or None,
            "asked_by": self.who or None,
        }

    @property
    def query(self) -> Mapping[str, str]:
        """Return it as the address of the rest of the list has it."""
        said = {"status": self.status, "version": self.version, "who": self.who}
        return {name: value for name, value in said.items() if value}


async def predictions(request: Request) -> Page:
    """List the caller's predictions that were asked of the deployment, or those that are sought."""
    shown, account, wanted = await find(request), require_account(request), _sought(request)
    deployment, services = shown.deployment, services_of(request)
    _, found = await services.deployments.predictions_of(
        account, deployment.owner, deployment.name, window(request, limit=PER_PAGE), **wanted.asked
    )
    return shown.page(
        "deployment_predictions.html",
        "predictions",
        predictions=found.items,
        more=older(request, found, **wanted.query),
        running=any(not each.status.terminal for each in found.items),
        wanted=wanted,
        stages=tuple(Stages),
        versions=await services.deployments.versions_of(deployment),
        by_members=account.type == "organization" or account.belonging(deployment.owner) != account.id,
    )


async def instances(request: Request) -> Page:
    """Show which instances live, how those before them ended, and how much there was to do."""
    shown, account = await find(request), require_account(request)
    deployment = shown.deployment
    found = await services_of(request).instances.of_deployment(account, deployment)
    drawn = await charts(request, About(deployment_id=deployment.id))
    progress = services_of(request).deployments.rollouts.progress(deployment)
    values = {"fared": found, "live_at": live_at(deployment), "progress": progress, **drawn}
    return shown.page("deployment_instances.html", "instances", **values)


async def living(request: Request) -> Page:
    """Show which instances live, alone: asked again and again by pages that show it."""
    shown, account = await find(request), require_account(request)
    found = await services_of(request).instances.of_deployment(account, shown.deployment, ended=False)
    return Page(template="living.html", values={"fared": found, "live_at": live_at(shown.deployment)})


def _sought(request: Request) -> _Sought:
    query = request.query_params
    status = query.get("status", "")
    return _Sought(
        status=status if status in set(Stages) else "",
        version=query.get("version", "").strip().lower()[:_LONGEST],
        who=query.get("who", "").strip()[:_LONGEST],
    )
