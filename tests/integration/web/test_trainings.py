"""The pages of trainings, over the real services."""

from __future__ import annotations

import pytest
from cogyard.domain.values import Kind
from cogyard.instances.work import Outcome
from cogyard.testing.api import TRAINABLE_SCHEMA

from tests.integration.web.conftest import Site, text_of

pytestmark = pytest.mark.anyio

HOSTILE = "\"'><script>alert(1)</script>"


async def trainable(site: Site) -> str:
    """Make a public model of ada's that can be trained and one of bob's to train for; return the version."""
    version = await site.version("ada", "base", schema=TRAINABLE_SCHEMA)
    await site.services.models.create(site.accounts["bob"], "bob", "mine", visibility="private")
    return version.id


async def test_the_tab_is_there_for_what_can_be_trained(site: Site) -> None:
    """A model whose version has no train() has neither the tab nor the page."""
    await trainable(site)
    await site.version("ada", "hello")
    bob = await site.signed_in("bob")
    assert 'href="/ada/base/train"' in (await bob.get("/ada/base")).text
    assert "/ada/hello/train" not in (await bob.get("/ada/hello")).text
    assert (await bob.get("/ada/hello/train")).status_code == 404
    page = (await bob.get("/ada/base/train")).text
    assert 'data-name="steps"' in page
    assert 'data-name="text"' not in page
    assert '<option value="bob/mine">' in page
    assert "client.trainings.create(" in text_of(page)


async def test_training_without_a_script(site: Site) -> None:
    """The plain form makes a training of the caller's, which the list and its page show with its destination."""
    version = await trainable(site)
    bob = await site.signed_in("bob")
    assert "Nothing has been trained yet" in (await bob.get("/trainings")).text
    form = {"version": version, "input": '{"steps": 3}', "destination": "bob/mine"}
    asked = await bob.post("/ada/base/train", data=form)
    made = await site.services.predictions.get(site.accounts["bob"], asked.headers["location"][3:])
    assert (made.kind, made.destination, dict(made.input)) == (Kind.TRAINING, "bob/mine", {"steps": 3})
    assert "for bob/mine · steps: 3" in text_of((await bob.get("/trainings")).text)
    assert made.id not in (await bob.get("/predictions")).text
    for query, there in (
        ("status=running", True),
        ("status=failed", False),
        ("model=ada/base&source=web", True),
    ):
        assert (made.id in (await bob.get(f"/trainings?{query}")).text) == there
    assert "No training of yours is like that" in (await bob.get(f"/trainings?model={HOSTILE}")).text
    page = text_of((await bob.get(f"/p/{made.id}")).text)
    assert f"Training {made.id}" in page
    assert "for bob/mine" in page
    assert f'href="/ada/base/train?prediction={made.id}"' in (await bob.get(f"/p/{made.id}")).text
    again = (await bob.get(f"/ada/base/train?prediction={made.id}")).text
    assert 'value="bob/mine"' in again
    assert (await bob.post(f"/p/{made.id}/cancel")).status_code == 303
    assert (await bob.post(f"/p/{made.id}/delete")).headers["location"] == "/trainings?deleted=1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"destination": "ada/base"}, "training destination does not exist"),
        ({"destination": "bob/nosuch"}, "training destination does not exist"),
        ({"destination": HOSTILE}, "training destination does not exist"),
        ({"destination": ""}, "training destination does not exist"),
        ({"input": '{"steps": 0}'}, "steps"),
        ({"input": "{"}, "not JSON"),
    ],
)
async def test_a_wrong_training_says_why(site: Site, changes: dict[str, str], said: str) -> None:
    """Nothing is made; what was typed stays, and is text."""
    form = {"version": await trainable(site), "input": '{"steps": 3}', "destination": "bob/mine", **changes}
    answer = await (await site.signed_in("bob")).post("/ada/base/train", data=form)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert "<script>alert" not in answer.text


async def test_a_finished_training_links_its_version(site: Site) -> None:
    """Only what names a version of its destination is linked; whatever else train() said is shown as text."""
    version = await site.services.versions.get(site.accounts["ada"], "ada", "base", await trainable(site))
    ada = await site.signed_in("ada")
    for output, linked in (
        ({"version": "ada/base:" + "7" * 64, "weights": "https://elsewhere.test/w"}, True),
        ({"version": "evil/other:" + "7" * 64}, False),
        ({"version": HOSTILE}, False),
        ("just text", False),
    ):
        made = await site.services.predictions.create(
            site.accounts["ada"], version=version, input={"steps": 1}, destination="ada/base"
        )
        queue = site.services.predictions.queue
        claim = await queue.claim(f"{version.id}@train", instance="test")
        assert claim is not None
        await queue.started(made.id, claim.lease_token)
        await queue.finished(made.id, claim.lease_token, Outcome(status="succeeded", output=output))
        page = (await ada.get(f"/p/{made.id}")).text
        assert ("a version you can run" in page) == linked
        assert "<script>alert" not in page
