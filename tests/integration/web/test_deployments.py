"""The pages of deployments, over the real services."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.deployments import Configuration, Split
from cogyard.domain.roles import Role
from cogyard.domain.waiting import Cause, Reason
from cogyard.features.deployments.service import Wanted
from cogyard.features.instances.ports import Living

from tests.integration.web.conftest import Site, text_of

pytestmark = pytest.mark.anyio

HOSTILE = "\"'><script>alert(1)</script>"
CPU: dict[str, Any] = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}


def form(**changes: str) -> dict[str, str]:
    """Return what the settings' form sends, with something changed."""
    return {"hardware": "cpu", "min_instances": "0", "max_instances": "1", **changes}


async def test_making_changing_and_rolling_back(site: Site) -> None:
    """A deployment is made of the latest version, each save is a release, and an earlier one can come back."""
    version = await site.version("ada", "hello")
    ada = await site.signed_in("ada")
    assert "No deployments yet" in (await ada.get("/deployments")).text
    made = await ada.post("/deployments/create", data=form(name="front", model="ada/hello", version=""))
    assert made.headers["location"] == "/deployments/ada/front"
    listed = text_of((await ada.get("/deployments")).text)
    assert f"ada/front ada/hello · version {version.id[:8]} cpu · 0–1 instances · release 1" in listed  # noqa: RUF001
    saved = await ada.post(
        "/deployments/ada/front/settings", data=form(version=version.id, max_instances="3")
    )
    assert saved.headers["location"] == "/deployments/ada/front/settings?saved=1"
    assert "Release 2 is current." in (await ada.get("/deployments/ada/front/settings?saved=1")).text
    back = await ada.post("/deployments/ada/front/rollback", data={"release": "1"})
    assert back.headers["location"] == "/deployments/ada/front/releases?done=1"
    page = text_of((await ada.get("/deployments/ada/front/releases")).text)
    assert page.index("0–1 instances") < page.index("0–3 instances")  # noqa: RUF001
    assert ("Roll back to 1" in page, "Roll back to 3" in page) == (True, False)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"name": "Not A Name"}, 422, "does not fit"),
        ({"model": "ada/nosuch"}, 422, "There is no model"),
        ({"model": HOSTILE}, 422, "There is no model"),
        ({"model": "ada/empty"}, 422, "has no version yet"),
        ({"version": "f" * 64}, 422, "has no version"),
        ({"hardware": "gpu"}, 422, "There is no hardware"),
        ({"min_instances": "9"}, 422, "from 0 to 5"),
        ({"min_instances": "one"}, 422, "must be a whole number"),
        ({"max_instances": "-1"}, 422, "must be a whole number"),
        ({"min_instances": "3", "max_instances": "2"}, 422, "must not be above"),
        ({"name": "taken"}, 409, "already"),
    ],
)
async def test_a_wrong_form_says_why_and_keeps_what_was_typed(
    site: Site, changes: dict[str, str], status: int, said: str
) -> None:
    """Nothing is made, the reason is on the page, and so is what was typed."""
    version = await site.version("ada", "hello")
    ada = site.accounts["ada"]
    await site.services.models.create(ada, "ada", "empty", visibility="private")
    await site.services.deployments.create(
        ada, "taken", "ada/hello", Configuration(version=version.id, **CPU)
    )
    given = form(name="fresh", model="ada/hello", version="") | changes
    answer = await (await site.signed_in("ada")).post("/deployments/create", data=given)
    assert (answer.status_code, said in text_of(answer.text)) == (status, True)
    assert "<script>alert" not in answer.text
    assert f'value="{given["name"]}"' in answer.text


async def test_a_split_is_shown_and_taken_back(site: Site) -> None:
    """A share for a second version is on every tab, and saving without one ends it."""
    version = await site.version("ada", "hello")
    other = replace(version, id="7d" * 32)
    model = await site.services.models.get(site.accounts["ada"], "ada", "hello")
    await site.services.versions.add(
        model, digest=other.digest, labels={}, openapi_schema={}, cog_version="0", size=1
    )
    ada = await site.signed_in("ada")
    await ada.post("/deployments/create", data=form(name="front", model="ada/hello", version=version.id))
    split = form(version=version.id, split=other.id, percent="10")
    assert (await ada.post("/deployments/ada/front/settings", data=split)).status_code == 303
    assert "10 % to 7d7d7d7d" in text_of((await ada.get("/deployments/ada/front/api")).text)
    found = await site.services.deployments.get(site.accounts["ada"], "ada", "front")
    assert found.release.configuration.split == Split(version=other.id, percent=10)
    wrong = await ada.post("/deployments/ada/front/settings", data=split | {"percent": ""})
    assert (wrong.status_code, "Percent must be a whole number" in wrong.text) == (422, True)
    await ada.post("/deployments/ada/front/settings", data=form(version=version.id))
    found = await site.services.deployments.get(site.accounts["ada"], "ada", "front")
    assert found.release.configuration.split is None


async def test_it_is_asked_without_a_script(site: Site) -> None:
    """The plain form makes a prediction of the deployment; a wrong input is said and kept."""
    await site.version("ada", "hello")
    ada = await site.signed_in("ada")
    await ada.post("/deployments/create", data=form(name="front", model="ada/hello", version=""))
    asked = await ada.post("/deployments/ada/front/run", data={"input": '{"text": "x"}'})
    prediction = asked.headers["location"].removeprefix("/p/")
    assert (await site.services.predictions.get(site.accounts["ada"], prediction)).deployment == "ada/front"
    assert prediction in (await ada.get("/deployments/ada/front/predictions")).text
    for wrong, said in (
        ("{", "not JSON"),
        ("7", "must be an object"),
        ('{"text": 7}', "text"),
        ("[" * 9999, "JSON"),
    ):
        refused = await ada.post("/deployments/ada/front/run", data={"input": wrong})
        assert (refused.status_code, said in refused.text) == (422, True)


async def test_the_model_page_runs_without_a_script(site: Site) -> None:
    """The plain form of a model's page makes a prediction of the version it names."""
    version = await site.version("ada", "hello")
    bob = await site.signed_in("bob")
    asked = await bob.post("/ada/hello/run", data={"version": version.id, "input": '{"text": "x"}'})
    found = await site.services.predictions.get(
        site.accounts["bob"], asked.headers["location"].removeprefix("/p/")
    )
    assert (found.version, found.source, dict(found.input)) == (version.id, "web", {"text": "x"})
    refused = await bob.post("/ada/hello/run", data={"version": version.id, "input": HOSTILE})
    assert refused.status_code == 422
    assert "<script>alert" not in refused.text


async def test_deleting_asks_for_the_name_and_waits_for_the_last(site: Site) -> None:
    """The whole name must be typed; while something waits the reason is said; then it is gone."""
    await site.version("ada", "hello")
    ada = await site.signed_in("ada")
    await ada.post("/deployments/create", data=form(name="front", model="ada/hello", version=""))
    asked = await ada.post("/deployments/ada/front/run", data={"input": '{"text": "x"}'})
    confirmed = {"confirm": "ada/front"}
    assert (await ada.post("/deployments/ada/front/delete", data={"confirm": "front"})).status_code == 422
    busy = await ada.post("/deployments/ada/front/delete", data=confirmed)
    assert (busy.status_code, "still wait or run" in busy.text) == (409, True)
    await ada.post(asked.headers["location"] + "/cancel")
    assert (await ada.post("/deployments/ada/front/delete", data=confirmed)).headers[
        "location"
    ] == "/deployments"
    assert (await ada.get("/deployments/ada/front")).status_code == 404


async def test_its_page_stands_when_the_model_became_private(site: Site) -> None:
    """Whoever deployed another's model, which is private by now, can still look, change and delete."""
    await site.version("ada", "hello")
    bob = await site.signed_in("bob")
    await bob.post("/deployments/create", data=form(name="front", model="ada/hello", version=""))
    await site.services.models.update(site.accounts["ada"], "ada", "hello", visibility="private")
    for tab in ("", "/api", "/predictions", "/instances", "/releases", "/settings"):
        assert (await bob.get(f"/deployments/bob/front{tab}")).status_code == 200
    assert "no longer yours to see" in (await bob.get("/deployments/bob/front")).text
    assert (await bob.post("/deployments/bob/front/snippets", data={"input": "{}"})).status_code == 404


class Fleet:
    """One instance that lives, one that did not start, and trouble."""

    past: tuple[str, ...] = ()

    def deployables(self) -> tuple[str, ...]:
        """Return what instances of past releases work for."""
        return self.past

    def living(self, deployable: str) -> list[Living]:
        """Return one that gets ready."""
        view = InstanceView(
            id="lives-1", deployable=deployable, phase=Phase.STARTING, since=datetime(2026, 1, 1, tzinfo=UTC)
        )
        return [Living(view=view, setup_logs=f"\x1b[31mwarming {HOSTILE}")]

    def trouble(self, deployable: str) -> Reason | None:
        """Say that it fails."""
        return Reason(cause=Cause.FAILING, detail=f"Instances of {deployable[-3:]} could not start 3 times.")

    def of(self, deployable: str) -> list[dict[str, Any]]:
        """Return one that ended."""
        return [
            {
                "instance": f"gone-{deployable[-2:]}",
                "started_at": "2026-01-01T00:00:00+00:00",
                "ended_at": "2026-01-01T00:00:09+00:00",
                "became_ready": False,
                "error": f"setup() failed {HOSTILE}",
                "setup_logs": f"no weights {HOSTILE}",
            }
        ]


async def test_instances_are_shown_and_their_logs_only_to_the_models_owner(site: Site) -> None:
    """Who deploys another's model sees states and reasons; what setup() printed is its author's."""
    fleet = Fleet()
    records = replace(site.services.instances, records=fleet, present=fleet)
    site.app.state.services = replace(site.services, instances=records)
    await site.version("ada", "hello")
    for name in ("ada", "bob"):
        browser = await site.signed_in(name)
        await browser.post("/deployments/create", data=form(name="front", model="ada/hello", version=""))
        for tab in ("", "/instances"):
            page = (await browser.get(f"/deployments/{name}/front{tab}")).text
            assert "setting up" in page
            assert "could not start 3 times" in page
            assert "<script>alert" not in page
            assert "\x1b" not in page
            assert ("warming" in page) == (name == "ada")
        assert "lived 9.0 s" in page
        assert ("no weights" in page) == (name == "ada")


async def test_instances_of_a_past_release_are_shown_while_they_live(site: Site) -> None:
    """While a release takes over, whoever looks sees what still serves; another deployment's instances they do not."""
    version = await site.version("ada", "hello")
    fleet = Fleet()
    records = replace(site.services.instances, records=fleet, present=fleet)
    site.app.state.services = replace(site.services, instances=records)
    ada = await site.signed_in("ada")
    await ada.post("/deployments/create", data=form(name="front", model="ada/hello", version=""))
    found = await site.services.deployments.get(site.accounts["ada"], "ada", "front")
    fleet.past = (
        f"{'9a' * 32}@{found.id}",
        f"{'7b' * 32}@{found.id + 1}",
        "6c" * 32,
        f"{version.id}@{found.id}",
    )
    page = (await ada.get("/deployments/ada/front/living")).text
    assert [id_ in page for id_ in ("9a9a9a9a", "7b7b7b7b", "6c6c6c6c")] == [True, False, False]
    assert page.count(version.id[:8]) == 1


async def test_a_reader_of_an_organization_looks_and_changes_nothing(site: Site) -> None:
    """Its deployment is there with all that can be seen; what changes it is neither shown nor done."""
    services = site.services
    await services.organizations.create(site.accounts["ada"], "acme")
    owner = await services.accounts.get("ada")
    assert owner is not None
    await services.organizations.put_member(owner, "acme", "bob", Role.READER, at_once=True)
    version = await site.version("ada", "hello")
    made = Configuration(version=version.id, **CPU)
    await services.deployments.create(owner, "front", "ada/hello", made, owner="acme")
    await services.deployments.update(owner, "acme", "front", Wanted(max_instances=2))
    writer, reader = await site.signed_in("ada"), await site.signed_in("bob")
    releases = "/deployments/acme/front/releases"
    assert "Roll back to 1" in (await writer.get(releases)).text
    for tab in ("", "/api", "/predictions", "/instances", "/releases"):
        page = await reader.get(f"/deployments/acme/front{tab}")
        assert page.status_code == 200
        assert ("/settings" in page.text, "Roll back" in page.text) == (False, False)
    assert (await reader.post("/deployments/acme/front/rollback", data={"release": "1"})).status_code == 403
    found = await services.deployments.get(owner, "acme", "front")
    assert found.release.number == 2
