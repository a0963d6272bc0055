"""Charts and the filter of a deployment's predictions, over the real services."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.deployables import of_deployment, of_training
from cogyard.domain.deployments import Configuration
from cogyard.domain.roles import Role
from cogyard.domain.usage import Span
from cogyard.features.deployments.service import Wanted
from cogyard.features.usage.ports import About
from cogyard.instances.work import Outcome

from tests.integration.web.conftest import Site, text_of

pytestmark = pytest.mark.anyio
CPU: dict[str, Any] = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}


async def _counted(site: Site, about: About) -> dict[str, int]:
    found: dict[str, int] = {}
    for column in await site.services.usage.of(about, Span.DAY):
        for status, count in column.counts.items():
            found[status] = found.get(status, 0) + count
    return found


async def test_what_ends_is_counted_once_for_whose_it_is(site: Site) -> None:
    """By account, by model and by deployment; what never ran has no times."""
    version = await site.version("ada", "hello")
    done, broken = Outcome(status="succeeded", output="x"), Outcome(status="failed", error="no")
    await site.ran(version, {"text": "a"}, done)
    await site.ran(version, {"text": "b"}, broken, by="bob")
    await site.services.deployments.create(
        site.accounts["ada"], "front", "ada/hello", Configuration(version=version.id, **CPU)
    )
    waiting = await site.services.deployments.predict(
        site.accounts["ada"], "ada", "front", input={"text": "c"}
    )
    await site.services.predictions.cancel(site.accounts["ada"], waiting.id)
    await site.services.predictions.cancel(site.accounts["ada"], waiting.id)
    model = await site.services.models.get(site.accounts["ada"], "ada", "hello")
    stopped = "canceled"
    assert await _counted(site, About(account_id=site.accounts["ada"].id)) == {"succeeded": 1, stopped: 1}
    assert await _counted(site, About(account_id=site.accounts["bob"].id)) == {"failed": 1}
    assert await _counted(site, About(model_id=model.id)) == {"succeeded": 1, "failed": 1, stopped: 1}
    assert waiting.deployment_id is not None
    of_front = About(deployment_id=waiting.deployment_id)
    assert await _counted(site, of_front) == {stopped: 1}
    (column,) = [each for each in await site.services.usage.of(of_front, Span.WEEK) if each.counts]
    assert (column.ran, column.waited) == (None, None)


async def test_the_most_instances_of_an_hour_are_kept(site: Site) -> None:
    """Of a model outside deployments, and of a deployment; trainings, and what is about to end, are not counted."""
    version = await site.version("ada", "hello")
    model = await site.services.models.get(site.accounts["ada"], "ada", "hello")
    usage = site.services.usage
    since = usage.world.now()

    def view(name: str, deployable: str, phase: Phase = Phase.READY) -> InstanceView:
        return InstanceView(id=name, deployable=deployable, phase=phase, since=since, slots=1, busy=0)

    usage.observe([view("a", version.id), view("b", version.id), view("c", of_deployment(version.id, 7))])
    await usage.keep()
    usage.observe(
        [view("a", version.id), view("b", version.id, Phase.DRAINING), view("t", of_training(version.id))]
    )
    await usage.keep()
    assert (await usage.of(About(model_id=model.id), Span.DAY))[-1].instances == 2
    assert (await usage.of(About(deployment_id=7), Span.WEEK))[-1].instances == 1


async def test_pages_show_charts_to_whom_they_are_about(site: Site) -> None:
    """The dashboard, a model's and a deployment's instances; a day or a week; nothing of others."""
    version = await site.version("ada", "hello")
    await site.ran(version, {"text": "a"}, Outcome(status="succeeded", output="x"))
    await site.services.deployments.create(
        site.accounts["ada"], "front", "ada/hello", Configuration(version=version.id, **CPU)
    )
    ada, bob = await site.signed_in("ada"), await site.signed_in("bob")
    for page, charts, said in (
        ("/", 3, "1 succeeded"),
        ("/ada/hello/instances", 4, "1 succeeded"),
        ("/deployments/ada/front/instances", 4, "0 succeeded"),
    ):
        for span in ("", "?span=7d", "?span=nonsense"):
            html = (await ada.get(page + span)).text
            assert html.count('<svg class="chart-svg"') == charts, (page, span)
            assert said in text_of(html)
            assert len(re.findall(r'id="chart-[a-z]+-title"', html)) == charts
            assert 'style="' not in html
    assert "0 succeeded" in text_of((await bob.get("/")).text)
    version_kept = (await ada.get(f"/ada/hello/instances?version={version.id}")).text
    assert f"?version={version.id}&amp;span=7d#usage" in version_kept


async def test_a_deployments_predictions_are_found(site: Site) -> None:
    """By status, by version, and by the member who asked; the rest of a list goes on with what was sought."""
    services, ada = site.services, site.accounts["ada"]
    await services.organizations.create(ada, "acme")
    owner = await services.accounts.get("ada")
    assert owner is not None
    await services.organizations.put_member(owner, "acme", "bob", Role.WRITER)
    await services.organizations.join(site.accounts["bob"], "acme")
    members = {}
    for name in ("ada", "bob"):
        found = await services.accounts.get(name)
        assert found is not None
        members[name] = found
    model = await services.models.create(members["ada"], "acme", "hello", visibility="private")
    versions = [
        await services.versions.add(
            model, digest=f"sha256:{letter * 64}", labels={}, openapi_schema={}, cog_version="0.1.0", size=1
        )
        for letter in "ef"
    ]
    await services.deployments.create(
        members["ada"], "front", "acme/hello", Configuration(version=versions[0].id, **CPU), owner="acme"
    )
    first = await services.deployments.predict(members["ada"], "acme", "front", input={})
    await services.deployments.update(members["ada"], "acme", "front", Wanted(version=versions[1].id))
    second = await services.deployments.predict(members["bob"], "acme", "front", input={})
    await services.predictions.cancel(members["ada"], first.id)
    browser = await site.signed_in("bob")
    page = "/deployments/acme/front/predictions"
    for query, expected in (
        ("", {first.id, second.id}),
        ("?status=canceled", {first.id}),
        ("?status=running", {second.id}),
        (f"?version={versions[0].id}", {first.id}),
        ("?who=bob", {second.id}),
        ("?who=ada&status=running", set()),
        ("?status=nonsense&who=&version=", {first.id, second.id}),
    ):
        html = (await browser.get(page + query)).text
        assert {each for each in (first.id, second.id) if each in html} == expected, query
    assert f'<option value="{versions[0].id}">' in (await browser.get(page)).text
    assert "No prediction of this deployment is like that" in (await browser.get(f"{page}?who=nobody")).text
    hostile = (await browser.get(page, params={"who": '"><script>', "version": "<b>"})).text
    assert "<script>&" not in hostile
    assert "&#34;&gt;&lt;script&gt;" in hostile
