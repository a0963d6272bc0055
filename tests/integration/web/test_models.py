"""A model's examples, settings and instances on its pages, over the real services."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cogyard.domain.retention import Keep
from cogyard.features.limits.ports import ModelLimits
from cogyard.instances.work import Outcome

from tests.integration.web.conftest import BASE, TEXT_SCHEMA, Site, text_of
from tests.integration.web.test_deployments import Fleet

pytestmark = pytest.mark.anyio

HOSTILE = "\"'><script>alert(1)</script>"
SECRET = "hunter2-is-secret"


async def test_an_example_is_saved_shown_and_removed(site: Site) -> None:
    """The owner saves one from the prediction's page; whoever sees the model sees it, and its form begins with it."""
    version = await site.version("ada", "hello")
    made = await site.ran(
        version,
        {"text": f"shown {HOSTILE}", "key": SECRET},
        Outcome(status="succeeded", output=f"made {HOSTILE}"),
    )
    ada, stranger = await site.signed_in("ada"), site.visitor()
    assert "No examples yet" in (await stranger.get("/ada/hello/examples")).text
    assert "Nothing has run yet" in (await stranger.get("/ada/hello")).text
    assert "Save as example" in (await ada.get(f"/p/{made}")).text
    saved = await ada.post("/ada/hello/examples", data={"prediction": made})
    assert saved.headers["location"] == "/ada/hello/examples"
    for path in ("/ada/hello/examples", "/ada/hello", f"/ada/hello?prediction={made}"):
        page = (await stranger.get(path)).text
        assert "made" in text_of(page)
        assert "shown" in page
        assert SECRET not in page
        assert "<script>alert" not in page
        assert f"/p/{made}/cancel" not in page
        assert "Remove" not in page.replace("data-clear>Remove", "")
    page = (await stranger.get(f"/p/{made}")).text
    assert "made" in text_of(page)
    for kept in (SECRET, f"/p/{made}/cancel", "Delete prediction", "/replay", "Copy link", "Save as"):
        assert kept not in page
    page = (await ada.get(f"/p/{made}")).text
    assert ("Remove from examples" in page, "Save as example" in page) == (True, False)
    assert (await ada.post(f"/ada/hello/examples/{made}/remove")).status_code == 303
    assert "No examples yet" in (await stranger.get("/ada/hello/examples")).text
    assert (await stranger.get(f"/p/{made}")).status_code == 404


async def test_an_example_of_a_private_model_stays_private(site: Site) -> None:
    """Its own address shows an example to those alone who see the model."""
    version = await site.version("ada", "hello")
    made = await site.ran(version, {"text": "x"}, Outcome(status="succeeded", output="y"))
    await site.services.examples.add(site.accounts["ada"], "ada", "hello", made)
    bob = await site.signed_in("bob")
    assert [(await each.get(f"/p/{made}")).status_code for each in (site.visitor(), bob)] == [200, 200]
    await (await site.signed_in("ada")).post("/ada/hello/settings", data={"visibility": "private"})
    assert [(await each.get(f"/p/{made}")).status_code for each in (site.visitor(), bob)] == [404, 404]


async def test_webhooks_of_an_example_are_nobodys_business(site: Site) -> None:
    """An example's JSON is without whom its owner has told."""
    version = await site.version("ada", "hello")
    made = await site.services.predictions.create(
        site.accounts["ada"], version=version, input={"text": "x"}, webhook="https://private.test/hook"
    )
    queue = site.services.predictions.queue
    claim = await queue.claim(version.id, instance="test")
    assert claim is not None
    await queue.finished(made.id, claim.lease_token, Outcome(status="succeeded", output="x"))
    await site.services.examples.add(site.accounts["ada"], "ada", "hello", made.id)
    for path in ("/ada/hello", "/ada/hello/examples", f"/p/{made.id}"):
        assert "private.test" not in (await site.visitor().get(path)).text


async def test_the_default_example_is_chosen(site: Site) -> None:
    """The one that was made the default is what the form begins with, whatever was added later."""
    version = await site.version("ada", "hello")
    ids = [
        await site.ran(version, {"text": f"number{n}"}, Outcome(status="succeeded", output=f"out{n}"))
        for n in range(3)
    ]
    ada = await site.signed_in("ada")
    for id_ in ids:
        await ada.post("/ada/hello/examples", data={"prediction": id_})
    await ada.post("/ada/hello/examples", data={"prediction": ids[1], "default": "1"})
    assert "number1" in (await site.visitor().get("/ada/hello")).text
    failed = await site.ran(version, {"text": "bad"}, Outcome(status="failed", error="no"))
    refused = await ada.post("/ada/hello/examples", data={"prediction": failed})
    assert (refused.status_code, "succeeded" in refused.text) == (422, True)
    bob = await site.signed_in("bob")
    assert (await bob.post("/ada/hello/examples", data={"prediction": ids[0]})).status_code == 404
    assert (await bob.post(f"/ada/hello/examples/{ids[0]}/remove")).status_code == 404


async def test_all_of_a_models_settings(site: Site) -> None:
    """Texts, links, hardware and visibility are saved and shown; a wrong link is refused and kept as typed."""
    await site.version("ada", "hello")
    ada = await site.signed_in("ada")
    form = {
        "description": "Says hello",
        "visibility": "public",
        "hardware": "cpu",
        "github_url": "https://code.test/hello",
        "paper_url": "https://paper.test/1",
        "license_url": "https://licence.test/mit",
        "weights_url": "https://weights.test/w",
        "cover_image_url": "https://pictures.test/c.png",
        "readme": "# Hi",
    }
    assert (await ada.post("/ada/hello/settings", data=form)).status_code == 303
    model = await site.services.models.get(None, "ada", "hello")
    assert {key: getattr(model, key) for key in form} == form
    page = (await ada.get("/ada/hello/settings")).text
    assert all(value in page for value in form.values())
    head = (await site.visitor().get("/ada/hello")).text
    assert 'href="https://paper.test/1"' in head
    refused = await ada.post("/ada/hello/settings", data=form | {"paper_url": "javascript:alert(1)"})
    assert (refused.status_code, "must be an http(s) address" in refused.text) == (422, True)
    assert 'value="javascript:alert(1)"' in refused.text
    wrong = await ada.post("/ada/hello/settings", data=form | {"hardware": "gpu-of-dreams"})
    assert (wrong.status_code, "There is no hardware" in text_of(wrong.text)) == (422, True)


async def test_a_cover_is_a_picture_where_it_is_ours(site: Site) -> None:
    """A picture elsewhere is not asked for by whoever looks: its server would learn who they are."""
    await site.version("ada", "hello")
    ada = site.accounts["ada"]
    for cover, shown in (
        (f"{BASE}/delivery/token/c.png", True),
        ("https://elsewhere.test/c.png", False),
        (f"{BASE}.evil.test/c.png", False),
    ):
        await site.services.models.update(ada, "ada", "hello", cover_image_url=cover)
        page = (await site.visitor().get("/ada/hello")).text
        assert ('class="cover"' in page, "c.png" in page) == (shown, shown)


async def test_how_long_data_is_kept(site: Site) -> None:
    """Of a model, a deployment and the account; in words; what is no time is said and kept as typed."""
    await site.version("ada", "hello")
    ada = await site.signed_in("ada")
    made = {
        "name": "front",
        "model": "ada/hello",
        "hardware": "cpu",
        "min_instances": "0",
        "max_instances": "1",
    }
    await ada.post("/deployments/create", data=made)
    places = {
        "/ada/hello/retention": "/ada/hello/settings",
        "/deployments/ada/front/retention": "/deployments/ada/front/settings",
        "/account/retention": "/account/retention",
    }
    for address, page in places.items():
        assert (await ada.post(address, data={"keep": "30d"})).headers["location"] == f"{page}?saved=1"
        assert 'value="30d"' in (await ada.get(page)).text
        for wrong in ("soon", "1", HOSTILE):
            refused = await ada.post(address, data={"keep": wrong})
            assert refused.status_code == 422
            assert "<script>alert" not in refused.text
        await ada.post(address, data={"keep": "forever"})
        assert 'value="forever"' in (await ada.get(page)).text
        await ada.post(address, data={"keep": ""})
    retention, owner = site.services.retention, site.accounts["ada"]
    assert (await retention.of_account(owner)).own is None
    await ada.post("/ada/hello/retention", data={"keep": "12h"})
    assert (await retention.of_model(owner, "ada", "hello")).own == Keep(12 * 3600)


async def test_limits(site: Site) -> None:
    """They are set by whole numbers, taken away by empty fields, and refused in words."""
    await site.version("ada", "hello")
    ada, owner = await site.signed_in("ada"), site.accounts["ada"]
    form = {"predictions": "100", "window": "3600", "at_once": "4"}
    assert (await ada.post("/ada/hello/limits", data=form)).headers[
        "location"
    ] == "/ada/hello/settings?saved=1"
    found = await site.services.limits.get(owner, "ada", "hello")
    assert found == ModelLimits(predictions=100, window=3600, at_once=4)
    for wrong in ({"predictions": "many"}, {"at_once": "0"}, {"window": "999999999"}):
        assert (await ada.post("/ada/hello/limits", data=form | wrong)).status_code == 422
    await ada.post("/ada/hello/limits", data={"predictions": "", "window": "", "at_once": ""})
    assert (await site.services.limits.get(owner, "ada", "hello")).unlimited


async def test_a_models_instances(site: Site) -> None:
    """Their owner sees what lives and why others ended, of any version, for predictions and for trainings."""
    version = await site.version("ada", "hello")
    fleet = Fleet()
    records = replace(site.services.instances, records=fleet, present=fleet)
    site.app.state.services = replace(site.services, instances=records)
    ada = await site.signed_in("ada")
    for query in ("", f"?version={version.id}"):
        page = (await ada.get(f"/ada/hello/instances{query}")).text
        for said in (
            "setting up",
            "warming",
            "did not start",
            "no weights",
            "could not start 3 times",
            "Trainings",
        ):
            assert said in page
        assert "<script>alert" not in page
    assert (await ada.get("/ada/hello/instances?version=nonsense")).status_code == 404
    living = f"/ada/hello/living?version={version.id}"
    assert f'hx-get="{living}"' in page
    alone = (await ada.get(living)).text
    assert ("warming" in alone, "no weights" in alone, "<html" in alone) == (True, False, False)
    assert (await (await site.signed_in("bob")).get(living)).status_code == 404
    await site.services.models.create(site.accounts["ada"], "ada", "empty", visibility="private")
    assert "Nothing has been pushed" in (await ada.get("/ada/empty/instances")).text


async def test_tokens_have_a_reach_and_an_end(site: Site) -> None:
    """A token is made with a scope and an expiry, shown once, and listed with when it was used last."""
    ada, owner = await site.signed_in("ada"), site.accounts["ada"]
    page = await ada.post("/account/api-tokens", data={"name": "ci", "scope": "run", "expires": "30"})
    secret = next(word for word in text_of(page.text).split() if word.startswith("cyd_"))
    (kept,) = await site.services.accounts.tokens(owner)
    assert kept.expires_at is not None
    days = round((kept.expires_at - kept.created_at).total_seconds() / 86400)
    assert (kept.scope, days) == ("run", 30)
    assert "never used" in (await ada.get("/account/api-tokens")).text
    headers = {"Authorization": f"Bearer {secret}"}
    assert (await site.visitor().get("/v1/account", headers=headers)).status_code == 200
    listed = text_of((await ada.get("/account/api-tokens")).text)
    assert "used just now" in listed
    assert "look and run" in listed
    assert "ends in 30 days" in listed
    wrong: list[dict[str, Any]] = [{"scope": "god"}, {"expires": "0"}, {"expires": "99999"}, {"expires": "x"}]
    for each in wrong:
        refused = await ada.post("/account/api-tokens", data={"name": "kept name", **each})
        assert (refused.status_code, 'value="kept name"' in refused.text) == (422, True)
    assert len(await site.services.accounts.tokens(owner)) == 1


async def test_a_version_is_deleted_where_nobody_needs_it(site: Site) -> None:
    """Its page has the button for whoever may; what stands in the way is said on the page."""
    version = await site.version("ada", "hello")
    ada, page = await site.signed_in("ada"), f"/ada/hello/versions/{version.id}"
    assert "Delete this version" not in (await site.visitor().get(page)).text
    refused = await ada.post(f"{page}/delete")
    assert (refused.status_code, "public" in text_of(refused.text)) == (409, True)
    await site.services.models.update(site.accounts["ada"], "ada", "hello", visibility="private")
    assert "Delete this version" in (await ada.get(page)).text
    assert (await ada.post(f"{page}/delete")).headers["location"] == "/ada/hello/versions"
    assert (await ada.get(page)).status_code == 404
    assert (await ada.post(f"{page}/delete")).status_code == 404


async def test_the_api_tab_says_what_becomes_of_an_interrupted_run(site: Site) -> None:
    """As its author has declared it; a stranger's document that says something else declares nothing."""
    documents: dict[str, Any] = {
        "once": TEXT_SCHEMA,
        "again": {**TEXT_SCHEMA, "paths": {"/predictions": {"post": {"x-cog-idempotent": True}}}},
        "odd": {**TEXT_SCHEMA, "paths": {"/predictions": {"post": {"x-cog-idempotent": "yes"}}}},
        "odder": {**TEXT_SCHEMA, "paths": ["/predictions"]},
    }
    for name, document in documents.items():
        await site.version("ada", name, schema=document)
        page = text_of((await site.visitor().get(f"/ada/{name}/api")).text)
        assert "When a run is interrupted" in page
        assert ("It runs again, up to three times" in page) == (name == "again")


async def test_an_example_among_many_is_found(site: Site) -> None:
    """The address of an example shows it however many came after it; another prediction's shows none."""
    version = await site.version("ada", "hello")
    services, ada = site.services, site.accounts["ada"]
    first = await site.ran(version, {"text": "the very first"}, Outcome(status="succeeded", output="x"))
    await services.examples.add(ada, "ada", "hello", first)
    for number in range(3):
        made = await site.ran(version, {"text": f"n{number}"}, Outcome(status="succeeded", output="x"))
        await services.examples.add(ada, "ada", "hello", made)
    assert "the very first" in (await site.visitor().get(f"/ada/hello?prediction={first}")).text
    other = await site.ran(version, {"text": "never shown"}, Outcome(status="succeeded", output="x"))
    assert "never shown" not in (await site.visitor().get(f"/ada/hello?prediction={other}")).text
