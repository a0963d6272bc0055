"""Organizations on pages: made, joined, acted for, left; and what each role finds there."""

from __future__ import annotations

import re

import httpx2
import pytest
from cogyard.domain.paging import Window
from cogyard.domain.roles import Role
from cogyard.web.pages import FOR_READERS, TABLE

from tests.integration.web.conftest import Site, text_of

pytestmark = pytest.mark.anyio

HOSTILE = "\"'><script>alert(1)</script>{{7*7}}"


async def _member(site: Site, name: str, role: Role) -> httpx2.AsyncClient:
    """Return a browser of a new member of acme, which acts for it."""
    services = site.services
    person = site.accounts[name] = await services.accounts.create(name, name=name.title())
    ada = await services.accounts.get("ada")
    assert ada is not None
    await services.organizations.put_member(ada, "acme", name, role, at_once=True)
    browser = await site.signed_in(person.username)
    assert (await browser.post("/account/act", data={"account": "acme"})).status_code == 303
    return browser


async def _acme(site: Site) -> httpx2.AsyncClient:
    """Make acme by its form, as ada; return her browser."""
    ada = await site.signed_in("ada")
    made = await ada.post("/organizations/create", data={"username": "acme", "name": "Acme Corp"})
    assert (made.status_code, made.headers["location"]) == (303, "/organizations/acme/members")
    return ada


async def test_an_organization_is_made_and_somebody_joins(site: Site) -> None:
    """The one who is invited sees it, joins by a button, and is on the list; until then they see nothing of it."""
    ada, bob = await _acme(site), await site.signed_in("bob")
    refused = await ada.post("/organizations/create", data={"username": "Not Good", "name": ""})
    assert refused.status_code == 422
    assert "lower-case" in refused.text
    assert (
        await ada.post("/organizations/acme/members", data={"username": "bob", "role": "writer"})
    ).status_code == 303
    listed = text_of((await ada.get("/organizations/acme/members")).text)
    assert "bob invited" in listed
    assert (await bob.get("/organizations/acme/members")).status_code == 404
    invitations = await bob.get("/organizations")
    assert "as writer, by ada" in text_of(invitations.text)
    joined = await bob.post("/organizations/acme/join")
    assert (joined.status_code, joined.headers["location"]) == (303, "/acme")
    profile = await bob.get("/acme")
    assert "/organizations/acme/members" in profile.text
    assert "/organizations/acme/members" not in (await site.visitor().get("/acme")).text
    assert "invited" not in text_of((await bob.get("/organizations/acme/members")).text)


async def test_whoever_acts_for_an_organization_makes_things_of_it(site: Site) -> None:
    """Every page is about it: the new model, its token, its predictions; and of oneself again when one says so."""
    ada = await _acme(site)
    assert "acme /" in text_of((await ada.get("/create")).text)
    made = await ada.post("/create", data={"name": "hello", "visibility": "private"})
    assert made.headers["location"] == "/acme/hello"
    assert "acme/hello" in (await ada.get("/")).text.replace("<span>acme</span><b>/</b>hello", "acme/hello")
    fresh = re.search(r"cyd_\w+", (await ada.post("/account/api-tokens", data={"name": "ci"})).text)
    assert fresh is not None
    held = await site.services.accounts.holder(fresh[0])
    assert held is not None
    assert (held.account.username, held.account.role) == ("acme", Role.WRITER)
    # What is one's own stays in sight.
    await site.version("ada", "mine", visibility="private")
    assert (await ada.get("/ada/mine")).status_code == 200
    back = await ada.post("/account/act", data={"account": "ada", "next": "/create"})
    assert back.headers["location"] == "/create"
    assert "ada /" in text_of((await ada.get("/create")).text)
    assert (await ada.get("/acme/hello")).status_code == 200
    assert "ci" not in text_of((await ada.get("/account/api-tokens")).text)


async def test_a_run_on_a_page_is_the_organizations_while_one_acts_for_it(site: Site) -> None:
    """By the API behind the form, with the session alone; every member sees it, also who acts for themselves."""
    await _acme(site)
    version = await site.version("ada", "hello")
    reader = await _member(site, "rea", Role.READER)
    asked = await reader.post("/v1/predictions", json={"version": version.id, "input": {"text": "x"}})
    assert asked.status_code == 201
    key = asked.json()["id"]
    assert key in (await reader.get("/predictions")).text
    assert (await reader.post("/account/act", data={"account": "rea"})).status_code == 303
    assert key not in (await reader.get("/predictions")).text
    assert (await reader.get(f"/p/{key}")).status_code == 200
    organization = await site.services.accounts.get("acme")
    assert organization is not None
    listed = await site.services.predictions.list(organization, Window(limit=9))
    assert [each.id for each in listed.items] == [key]


@pytest.mark.parametrize("role", [Role.READER, Role.WRITER])
async def test_a_role_that_reaches_less_is_refused_by_forms(site: Site, role: Role) -> None:
    """A reader makes nothing; neither handles tokens, endpoints, members or settings; and no button offers it."""
    ada = await _acme(site)
    browser = await _member(site, "mia", role)
    writes = role is Role.WRITER
    made = await browser.post("/create", data={"name": "hello", "visibility": "private"})
    assert made.status_code == (303 if writes else 403)
    kept = await ada.post("/v1/webhooks/endpoints", json={"url": "https://hooks.test/x"})
    endpoint = f"/account/webhooks/{kept.json()['id']}"
    for path, form in (
        ("/account/api-tokens", {"name": "x"}),
        ("/account/webhooks/secret/rotate", {}),
        ("/account/webhooks", {"url": "https://hooks.test/y", "enabled": "1"}),
        (endpoint, {"url": "https://hooks.test/y", "enabled": "1"}),
        (endpoint, {"url": "not an address"}),
        (f"{endpoint}/rotate", {}),
        (f"{endpoint}/delete", {}),
        ("/organizations/acme/members", {"username": "bob", "role": "reader"}),
        ("/organizations/acme/members/ada/remove", {}),
        ("/organizations/acme/settings", {"name": "x"}),
        ("/organizations/acme/delete", {"confirm": "acme"}),
    ):
        assert (await browser.post(path, data=form)).status_code == 403, path
    for page in ("/account/webhooks", endpoint):
        shown = (await browser.get(page)).text
        assert "https://hooks.test/x" in shown
        assert not any(each in shown for each in ("Add endpoint", "Rotate", "Delete", "Save")), page
    shown = (await browser.get("/organizations/acme/members")).text
    assert "Invite" not in shown
    assert "/members/ada/remove" not in shown
    assert "/members/mia/remove" in shown
    assert "Delete" not in (await browser.get("/organizations/acme/settings")).text
    assert (await browser.get("/account/api-tokens")).status_code == 403


async def test_whoever_was_removed_goes_on_as_themselves(site: Site) -> None:
    """Their browser still says the organization's name; it is told so no more, and nothing is shown of it."""
    ada = await _acme(site)
    browser = await _member(site, "wim", Role.WRITER)
    assert (await browser.post("/create", data={"name": "hello", "visibility": "private"})).status_code == 303
    assert (await ada.post("/organizations/acme/members/wim/remove")).status_code == 303
    assert (await browser.get("/acme/hello")).status_code == 404
    assert (await browser.get("/organizations/acme/members")).status_code == 404
    assert "wim /" in text_of((await browser.get("/create")).text)
    acted = await browser.post("/account/act", data={"account": "acme"})
    assert acted.status_code == 303
    assert "wim /" in text_of((await browser.get("/create")).text)


async def test_the_last_owner_is_told_why_they_stay(site: Site) -> None:
    """Leaving and stepping down are refused on the page itself; a second owner frees the first."""
    ada = await _acme(site)
    for path, form in (
        ("/organizations/acme/members/ada/remove", {}),
        ("/organizations/acme/members", {"username": "ada", "role": "admin"}),
        ("/organizations/acme/members", {"username": "nobody", "role": "admin"}),
        ("/organizations/acme/members", {"username": "bob", "role": "emperor"}),
        ("/organizations/acme/delete", {"confirm": "acm"}),
    ):
        answer = await ada.post(path, data=form)
        assert answer.status_code in {409, 422}, path
        assert 'role="alert"' in answer.text
    await _member(site, "own", Role.OWNER)
    left = await ada.post("/organizations/acme/members/ada/remove")
    assert (left.status_code, left.headers["location"]) == (303, "/organizations")
    assert "You belong to no organization" in (await ada.get("/organizations")).text


async def test_an_invitation_is_declined(site: Site) -> None:
    """By who is invited, without ever being a member."""
    ada, bob = await _acme(site), await site.signed_in("bob")
    await ada.post("/organizations/acme/members", data={"username": "bob", "role": "reader"})
    assert (await bob.post("/organizations/acme/members/bob/remove")).status_code == 303
    assert "acme" not in (await bob.get("/organizations")).text
    assert (await bob.post("/organizations/acme/join")).status_code == 404


async def test_names_that_strangers_chose_cannot_act(site: Site) -> None:
    """An organization's name to show is text wherever it is shown."""
    ada = await _acme(site)
    assert (await ada.post("/organizations/acme/settings", data={"name": HOSTILE})).status_code == 303
    await ada.post("/organizations/acme/members", data={"username": "bob", "role": "reader"})
    bob = await site.signed_in("bob")
    for browser, path in (
        (ada, "/organizations"),
        (ada, "/organizations/acme/settings"),
        (ada, "/organizations/acme/members"),
        (bob, "/organizations"),
        (bob, "/acme"),
    ):
        shown = (await browser.get(path)).text
        assert "<script>alert" not in shown
        assert "&lt;script&gt;alert" in shown


async def test_writers_make_collections_of_the_organization(site: Site) -> None:
    """Under its name; whoever sees none of its models sees no collection of it either."""
    ada = await _acme(site)
    assert (await ada.post("/create", data={"name": "hello", "visibility": "private"})).status_code == 303
    wim, rea = await _member(site, "wim", Role.WRITER), await _member(site, "rea", Role.READER)
    form = {"slug": "best", "name": "The best", "description": "Ours"}
    assert (await rea.post("/collections", data=form)).status_code == 403
    made = await wim.post("/collections", data=form)
    assert made.headers["location"] == "/collections/acme.best/edit"
    assert (await wim.post("/collections/acme.best/models", data={"model": "acme/hello"})).status_code == 303
    for browser, status in ((rea, 200), (await site.signed_in("bob"), 404), (site.visitor(), 404)):
        assert (await browser.get("/collections/acme.best")).status_code == status
        assert ("The best" in (await browser.get("/collections")).text) is (status == 200)
    assert (await rea.get("/collections/acme.best/edit")).status_code == 404
    assert (await wim.post("/collections/acme.best/delete")).status_code == 303


async def test_members_see_what_was_told_of_an_organizations_prediction(site: Site) -> None:
    """Also who acts for themselves; only writers are offered to tell it again or to delete it."""
    ada = await _acme(site)
    version = await site.version("ada", "hello")
    made = await ada.post("/account/webhooks", data={"url": "https://hooks.test/acme", "enabled": "1"})
    assert made.status_code == 200
    asked = await ada.post("/v1/predictions", json={"version": version.id, "input": {"text": "x"}})
    key = asked.json()["id"]
    await site.services.predictions.queue.cancel(key)
    for name, role, may in (("rea", Role.READER, False), ("wim", Role.WRITER, True)):
        member = await _member(site, name, role)
        assert (await member.post("/account/act", data={"account": name})).status_code == 303
        shown = (await member.get(f"/p/{key}")).text
        assert ("Tell https://hooks.test/acme again" in shown) is may
        assert (f"/p/{key}/delete" in shown) is may
        told = await member.post(f"/p/{key}/replay", data={"event": "start"})
        assert told.status_code == (409 if may else 403)


async def test_a_prediction_is_told_to_none_of_a_members_own_places(site: Site) -> None:
    """An endpoint of one's own is none of the organization's, also for who may tell it again."""
    await _acme(site)
    version = await site.version("ada", "hello")
    wim = await _member(site, "wim", Role.WRITER)
    asked = await wim.post("/v1/predictions", json={"version": version.id, "input": {"text": "x"}})
    key = asked.json()["id"]
    await site.services.predictions.queue.cancel(key)
    assert (await wim.post("/account/act", data={"account": "wim"})).status_code == 303
    own = await wim.post("/v1/webhooks/endpoints", json={"url": "https://hooks.test/wim"})
    refused = await wim.post(f"/v1/predictions/{key}/webhooks/replay", json={"endpoint": own.json()["id"]})
    assert refused.status_code == 422
    assert "of the account that the prediction belongs to" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("role", "settings", "deletes"), [("reader", 404, False), ("writer", 200, False), ("admin", 200, True)]
)
async def test_settings_offer_what_a_role_may(site: Site, role: str, settings: int, deletes: bool) -> None:
    """A reader has none, a writer no deletion; a deployment's tab is there for whoever may change it."""
    ada = await _acme(site)
    assert (await ada.post("/create", data={"name": "hello", "visibility": "private"})).status_code == 303
    member = await _member(site, "mia", Role(role))
    shown = await member.get("/acme/hello/settings")
    assert shown.status_code == settings
    assert ("Delete this model" in shown.text) is deletes
    if role == "writer":
        refused = await member.post("/acme/hello/settings", data={"visibility": "public"})
        assert refused.status_code == 403
        assert "an admin may" in refused.text


def test_forms_that_take_only_a_reader_are_there() -> None:
    """A form that is gone leaves no hole: every other one takes a writer of the organization one acts for."""
    assert {path for path, method, _ in TABLE if method == "POST"} >= FOR_READERS
