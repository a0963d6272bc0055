"""The pages of collections, over the real services."""

from __future__ import annotations

import pytest

from tests.integration.web.conftest import Site, text_of

pytestmark = pytest.mark.anyio

HOSTILE = "\"'><script>alert(1)</script>"


async def test_the_operator_makes_fills_and_deletes_one(site: Site) -> None:
    """Everybody sees it, with the models they may see; its text is Markdown that cannot act."""
    await site.version("ada", "hello")
    await site.services.models.create(site.accounts["ada"], "ada", "stealth", visibility="private")
    site.accounts["root"] = await site.services.accounts.create("root", name="Root", is_admin=True)
    root, bob = await site.signed_in("root"), await site.signed_in("bob")
    assert "Make one below" in (await root.get("/collections")).text
    assert "/collections/bob." in (await bob.get("/collections")).text
    assert "New collection" not in (await site.visitor().get("/collections")).text
    form = {
        "slug": "small",
        "name": f"Small {HOSTILE}",
        "description": HOSTILE,
        "full_description": f"# Why\n{HOSTILE}",
    }
    made = await root.post("/collections", data=form)
    assert made.headers["location"] == "/collections/small/edit"
    for model in ("ada/hello", "Ada/Stealth"):
        assert (await root.post("/collections/small/models", data={"model": model})).status_code == 303
    for browser in (site.visitor(), bob):
        for path in ("/collections", "/collections/small"):
            page = (await browser.get(path)).text
            assert "Small" in text_of(page)
            assert "<script>alert" not in page
        assert ("ada/hello" in page.replace("<span>ada</span><b>/</b>", "ada/"), "stealth" in page) == (
            True,
            False,
        )
        assert "<h1>Why</h1>" in page
    assert "stealth" in (await (await site.signed_in("ada")).get("/collections/small")).text
    await root.post("/collections/small/models/remove", data={"model": "ada/hello"})
    assert "hello" not in (await bob.get("/collections/small")).text
    await root.post("/collections/small/edit", data={"name": "Smaller"})
    assert "Smaller" in (await bob.get("/collections/small")).text
    assert (await root.post("/collections/small/delete")).headers["location"] == "/collections"
    assert (await bob.get("/collections/small")).status_code == 404


async def test_what_is_wrong_with_one_is_said(site: Site) -> None:
    """A taken or impossible address, no name, a model that is not there: each in words, with what was typed kept."""
    site.accounts["root"] = await site.services.accounts.create("root", name="Root", is_admin=True)
    root = await site.signed_in("root")
    await root.post("/collections", data={"slug": "small", "name": "Small"})
    for form, said in (
        ({"slug": "small", "name": "Again"}, "There is a collection small already"),
        ({"slug": "Not A Slug", "name": "x"}, "does not fit"),
        ({"slug": "fine", "name": ""}, "A name is needed"),
    ):
        refused = await root.post("/collections", data=form)
        assert (refused.status_code, said in text_of(refused.text)) == (422, True)
        assert f'value="{form["slug"]}"' in refused.text
    for model in ("ada/nosuch", HOSTILE, ""):
        refused = await root.post("/collections/small/models", data={"model": model})
        assert (refused.status_code, "There is no model" in refused.text) == (422, True)
        assert "<script>alert" not in refused.text
    assert (await root.post("/collections/small/edit", data={"name": ""})).status_code == 422
    assert (await site.services.collections.get(None, "small"))[0].name == "Small"
