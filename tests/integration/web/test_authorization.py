"""Every page, asked by everybody: the table is made from the routes, so a new page without a rule fails here."""

from __future__ import annotations

import pytest
from cogyard.web.pages import TABLE

from tests.integration.web.conftest import Site
from tests.integration.web.scene import furnished

pytestmark = pytest.mark.anyio

DOOR = 303  # to sign in
#: (anonymous, another account, the owner, an administrator), by method and address. Things are ada's and private.
RULES: dict[tuple[str, str], tuple[int, int, int, int]] = {
    ("GET", "/"): (200, 200, 200, 200),
    ("GET", "/signin"): (200, 303, 303, 303),
    ("POST", "/signin"): (422, 422, 422, 422),
    # The link is nobody's.
    ("GET", "/signin/link/{secret}"): (404, 404, 404, 404),
    ("POST", "/signin/link/{secret}"): (422, 422, 422, 422),
    ("GET", "/signout"): (303, 200, 200, 200),
    ("POST", "/signout"): (303, 303, 303, 303),
    ("GET", "/explore"): (200, 200, 200, 200),
    ("GET", "/create"): (DOOR, 200, 200, 200),
    ("POST", "/create"): (DOOR, 303, 303, 303),
    ("GET", "/predictions"): (DOOR, 200, 200, 200),
    # This one is an example of ada's private model, so whoever sees the model sees it.
    ("GET", "/p/{id}"): (404, 404, 200, 200),
    # Else a prediction is its author's alone: not even the administrator looks into it.
    ("GET", "/p/{id}/card"): (404, 404, 200, 404),
    ("POST", "/p/{id}/cancel"): (DOOR, 404, 303, 404),
    # The owner deletes it; it is nobody else's to delete, nor to tell of.
    ("POST", "/p/{id}/delete"): (DOOR, 404, 303, 404),
    # It names no webhook.
    ("POST", "/p/{id}/replay"): (DOOR, 404, 409, 404),
    ("GET", "/trainings"): (DOOR, 200, 200, 200),
    ("GET", "/account/webhooks"): (DOOR, 200, 200, 200),
    ("POST", "/account/webhooks"): (DOOR, 200, 200, 200),
    ("POST", "/account/webhooks/secret"): (DOOR, 200, 200, 200),
    ("POST", "/account/webhooks/secret/rotate"): (DOOR, 200, 200, 200),
    ("GET", "/account/webhooks/{id}"): (DOOR, 404, 200, 404),
    ("POST", "/account/webhooks/{id}"): (DOOR, 404, 303, 404),
    ("POST", "/account/webhooks/{id}/rotate"): (DOOR, 404, 200, 404),
    ("POST", "/account/webhooks/{id}/delete"): (DOOR, 404, 303, 404),
    ("GET", "/account/api-tokens"): (DOOR, 200, 200, 200),
    ("POST", "/account/api-tokens"): (DOOR, 200, 200, 200),
    # Whoever has no such token is told nothing.
    ("POST", "/account/api-tokens/{id}/revoke"): (DOOR, 303, 303, 303),
    ("GET", "/account/audit"): (DOOR, 404, 404, 200),
    ("POST", "/account/act"): (DOOR, 303, 303, 303),
    ("GET", "/organizations"): (DOOR, 200, 200, 200),
    ("GET", "/organizations/create"): (DOOR, 200, 200, 200),
    # The name is taken by the first.
    ("POST", "/organizations/create"): (DOOR, 303, 409, 409),
    # Ada owns it already; nobody invited the others.
    ("POST", "/organizations/{organization}/join"): (DOOR, 404, 303, 404),
    ("GET", "/organizations/{organization}/members"): (DOOR, 404, 200, 200),
    ("POST", "/organizations/{organization}/members"): (DOOR, 404, 303, 303),
    # The last owner stays.
    ("POST", "/organizations/{organization}/members/{username}/remove"): (DOOR, 404, 409, 409),
    ("GET", "/organizations/{organization}/settings"): (DOOR, 404, 200, 200),
    ("POST", "/organizations/{organization}/settings"): (DOOR, 404, 303, 303),
    ("POST", "/organizations/{organization}/delete"): (DOOR, 404, 303, 404),
    ("GET", "/deployments"): (DOOR, 200, 200, 200),
    ("GET", "/deployments/create"): (DOOR, 200, 200, 200),
    ("POST", "/deployments/create"): (DOOR, 422, 303, 303),
    ("GET", "/deployments/{owner}/{name}"): (DOOR, 404, 200, 200),
    ("POST", "/deployments/{owner}/{name}/run"): (DOOR, 404, 303, 303),
    ("GET", "/deployments/{owner}/{name}/api"): (DOOR, 404, 200, 200),
    ("POST", "/deployments/{owner}/{name}/snippets"): (DOOR, 404, 200, 200),
    ("GET", "/deployments/{owner}/{name}/predictions"): (DOOR, 404, 200, 200),
    ("GET", "/deployments/{owner}/{name}/instances"): (DOOR, 404, 200, 200),
    ("GET", "/deployments/{owner}/{name}/living"): (DOOR, 404, 200, 200),
    ("GET", "/deployments/{owner}/{name}/releases"): (DOOR, 404, 200, 200),
    ("POST", "/deployments/{owner}/{name}/rollback"): (DOOR, 404, 303, 303),
    ("GET", "/deployments/{owner}/{name}/settings"): (DOOR, 404, 200, 200),
    ("POST", "/deployments/{owner}/{name}/settings"): (DOOR, 404, 303, 303),
    # Nothing waits for it, so the first who may deletes it.
    ("POST", "/deployments/{owner}/{name}/delete"): (DOOR, 404, 303, 404),
    ("POST", "/deployments/{owner}/{name}/retention"): (DOOR, 404, 303, 303),
    ("GET", "/account/retention"): (DOOR, 200, 200, 200),
    ("POST", "/account/retention"): (DOOR, 303, 303, 303),
    # Each their own account.
    ("POST", "/account/export"): (DOOR, 200, 200, 200),
    ("GET", "/collections"): (200, 200, 200, 200),
    ("GET", "/collections/{slug}"): (200, 200, 200, 200),
    # Only the operator makes collections; for others those pages are not there.
    ("POST", "/collections"): (DOOR, 303, 303, 303),
    ("GET", "/collections/{slug}/edit"): (DOOR, 404, 404, 200),
    ("POST", "/collections/{slug}/edit"): (DOOR, 404, 404, 303),
    ("POST", "/collections/{slug}/models"): (DOOR, 404, 404, 303),
    ("POST", "/collections/{slug}/models/remove"): (DOOR, 404, 404, 303),
    ("POST", "/collections/{slug}/delete"): (DOOR, 404, 404, 303),
    ("GET", "/auth/token"): (DOOR, 200, 200, 200),
    ("POST", "/auth/token"): (DOOR, 200, 200, 200),
    ("GET", "/{owner}"): (200, 200, 200, 200),
    ("GET", "/{owner}/{name}"): (404, 404, 200, 200),
    ("POST", "/{owner}/{name}/run"): (DOOR, 404, 303, 303),
    ("GET", "/{owner}/{name}/api"): (404, 404, 200, 200),
    ("POST", "/{owner}/{name}/snippets"): (404, 404, 200, 200),
    ("GET", "/{owner}/{name}/readme"): (404, 404, 200, 200),
    ("GET", "/{owner}/{name}/train"): (404, 404, 200, 200),
    ("POST", "/{owner}/{name}/train"): (DOOR, 404, 303, 303),
    ("POST", "/{owner}/{name}/train/snippets"): (404, 404, 200, 200),
    ("GET", "/{owner}/{name}/waiting"): (404, 404, 200, 200),
    ("GET", "/{owner}/{name}/examples"): (404, 404, 200, 200),
    # The operator may choose, but has no such prediction.
    ("POST", "/{owner}/{name}/examples"): (DOOR, 404, 303, 422),
    # It is removed by the first who may.
    ("POST", "/{owner}/{name}/examples/{id}/remove"): (DOOR, 404, 303, 404),
    ("GET", "/{owner}/{name}/instances"): (404, 404, 200, 200),
    # Without a version it is of none.
    ("GET", "/{owner}/{name}/living"): (404, 404, 404, 404),
    ("POST", "/{owner}/{name}/retention"): (404, 404, 303, 303),
    ("POST", "/{owner}/{name}/limits"): (404, 404, 303, 303),
    ("GET", "/{owner}/{name}/settings"): (404, 404, 200, 200),
    ("POST", "/{owner}/{name}/settings"): (404, 404, 303, 303),
    # A deployment runs it, so it stays for all who ask here.
    ("POST", "/{owner}/{name}/delete"): (404, 404, 409, 409),
    ("GET", "/{owner}/{name}/versions"): (404, 404, 200, 200),
    ("GET", "/{owner}/{name}/versions/{id}"): (404, 404, 200, 200),
    # A deployment runs it.
    ("POST", "/{owner}/{name}/versions/{id}/delete"): (404, 404, 409, 409),
}
PEOPLE = ("anonymous", "bob", "ada", "root")


def test_every_page_has_a_rule() -> None:
    """A page that nobody thought about fails, and so does a rule about a page that is gone."""
    assert {(method, path) for path, method, _ in TABLE} == set(RULES)


@pytest.mark.parametrize(("method", "path"), list(RULES), ids=lambda part: part)
async def test_who_may_see_and_do_what(site: Site, method: str, path: str) -> None:
    """Strangers get what they would get if it were not there; the owner and the operator get the page."""
    scene = await furnished(site)
    found = {}
    for person in PEOPLE:
        browser = site.visitor() if person == "anonymous" else await site.signed_in(person)
        form = scene.form(path) if method == "POST" else None
        answer = await browser.request(method, scene.address(path), data=form)
        found[person] = answer.status_code
        if answer.status_code == DOOR and person == "anonymous" and path != "/signout":
            assert answer.headers["location"].startswith("/signin")
    assert found == dict(zip(PEOPLE, RULES[method, path], strict=True))


async def test_what_is_private_answers_as_what_is_not_there(site: Site) -> None:
    """Status and text are the same to the last letter, for a stranger and for another account, on every page."""
    scene = await furnished(site)
    for browser in (site.visitor(), await site.signed_in("bob")):
        for method, path in [key for key in RULES if "{name}" in key[1]]:
            room = "front" if path.startswith("/deployments") else scene.parts["name"]
            form = scene.form(path) if method == "POST" else None
            here = await browser.request(method, scene.address(path), data=form)
            there = await browser.request(method, scene.address(path).replace(room, "nosuch"), data=form)
            assert here.status_code == there.status_code, path
            assert here.text.replace(room, "nosuch") == there.text, path
            led = [each.headers.get("location", "").replace(room, "nosuch") for each in (here, there)]
            assert led[0] == led[1], path


async def test_no_form_of_another_site_does_anything(site: Site) -> None:
    """A page of another site that sends a form in ada's name is refused, whatever the form."""
    scene, ada = await furnished(site), await site.signed_in("ada")
    headers = {"Sec-Fetch-Site": "cross-site"}
    for path in [path for method, path in RULES if method == "POST"]:
        answer = await ada.post(scene.address(path), data=scene.form(path), headers=headers)
        assert answer.status_code == 403, path
