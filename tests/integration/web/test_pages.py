"""Pages over the real services: who sees what, and that nothing a stranger wrote can act."""

from __future__ import annotations

import pytest
from cogyard.domain.guesses import OF_NAME, SECONDS, Attempt
from cogyard.domain.paging import Window
from cogyard.instances.work import Outcome

from tests.integration.web.conftest import PASSWORD, TEXT_SCHEMA, Site, text_of

pytestmark = pytest.mark.anyio

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"
SECRET = "hunter2-is-secret"


async def test_everyone_sees_the_front_page_and_public_models(site: Site) -> None:
    """A stranger sees what this place is, and models that are public and can be run."""
    await site.version("ada", "hello")
    await site.version("ada", "stealth", visibility="private")
    for path in ("/", "/explore", "/ada"):
        answer = await site.visitor().get(path)
        assert answer.status_code == 200
        assert "/ada/hello" in answer.text
        assert "stealth" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["", "/api", "/readme", "/versions", "/versions/" + "5c" * 32, "/settings", "/waiting"],
)
async def test_a_private_model_is_as_if_it_were_not(site: Site, path: str) -> None:
    """For whoever may not see a model every address below it answers as for one that was never made."""
    await site.version("ada", "stealth", visibility="private")
    for browser in (site.visitor(), await site.signed_in("bob")):
        hidden = await browser.get(f"/ada/stealth{path}")
        nothing = await browser.get(f"/ada/nosuch{path}")
        assert hidden.status_code == nothing.status_code == 404
        assert hidden.text.replace("stealth", "nosuch") == nothing.text


async def test_only_the_owner_changes_a_model(site: Site) -> None:
    """Another's settings are not there, and posting to them changes nothing."""
    await site.version("ada", "hello")
    bob = await site.signed_in("bob")
    assert (await bob.get("/ada/hello/settings")).status_code == 404
    changed = {"description": "mine now", "visibility": "private", "readme": ""}
    assert (await bob.post("/ada/hello/settings", data=changed)).status_code == 404
    assert (await bob.post("/ada/hello/delete", data={"confirm": "ada/hello"})).status_code == 404
    model = await site.services.models.get(None, "ada", "hello")
    assert model.description is None


async def test_the_owner_changes_and_deletes(site: Site) -> None:
    """Settings are kept and shown; deleting asks for the whole name."""
    await site.version("ada", "hello")
    ada = await site.signed_in("ada")
    changed = {"description": "Says hello", "visibility": "private", "readme": "# Read\r\nme"}
    answer = await ada.post("/ada/hello/settings", data=changed)
    assert answer.headers["location"] == "/ada/hello/settings?saved=1"
    assert (await site.visitor().get("/ada/hello")).status_code == 404
    assert "<h1>Read</h1>" in (await ada.get("/ada/hello/readme")).text
    refused = await ada.post("/ada/hello/delete", data={"confirm": "hello"})
    assert (refused.status_code, "Type ada/hello to delete it." in refused.text) == (422, True)
    assert (await ada.post("/ada/hello/delete", data={"confirm": "ada/hello"})).status_code == 303
    assert (await ada.get("/ada/hello")).status_code == 404


async def test_making_a_model(site: Site) -> None:
    """A new model's page says how to push; a wrong or taken name is said beside what was typed."""
    ada = await site.signed_in("ada")
    made = await ada.post("/create", data={"name": "fresh", "visibility": "private", "description": ""})
    assert made.headers["location"] == "/ada/fresh"
    page = await ada.get("/ada/fresh")
    assert "cog push cogyard.test/ada/fresh" in text_of(page.text)
    taken = await ada.post("/create", data={"name": "fresh", "visibility": "private", "description": "kept"})
    assert (taken.status_code, "already exists" in taken.text, "kept" in taken.text) == (409, True, True)
    wrong = await ada.post("/create", data={"name": "Not A Name", "visibility": "private"})
    assert (wrong.status_code, "Not A Name" in wrong.text) == (422, True)


@pytest.mark.parametrize("path", ["/create", "/predictions", "/account/api-tokens", "/auth/token"])
async def test_a_page_for_accounts_asks_to_sign_in_and_comes_back(site: Site, path: str) -> None:
    """A stranger is sent to sign in, and then to where they wanted to go."""
    await site.services.accounts.set_password(site.accounts["ada"], PASSWORD)
    browser = site.visitor()
    asked = await browser.get(path)
    assert asked.headers["location"] == f"/signin?next={path}"
    form = {"username": "ada", "password": PASSWORD, "next": path}
    assert (await browser.post("/signin", data=form)).headers["location"] == path
    assert (await browser.get(path)).status_code == 200


async def test_a_wrong_password_signs_nobody_in(site: Site) -> None:
    """A wrong password, an unknown name and one without a password are answered alike."""
    await site.services.accounts.set_password(site.accounts["ada"], PASSWORD)
    texts = set()
    for username in ("ada", "bob", "nobody"):
        answer = await site.visitor().post("/signin", data={"username": username, "password": "wrong-one"})
        assert answer.status_code == 422
        assert "set-cookie" not in answer.headers
        texts.add(answer.text.replace(username, "NAME"))
    assert len(texts) == 1


async def test_guessing_passwords_is_braked(site: Site) -> None:
    """The same page with words, 429 and when to come back; for a name that nobody has just the same."""
    await site.services.accounts.set_password(site.accounts["ada"], PASSWORD)
    signed_in, texts = await site.signed_in("ada"), set()
    for username in ("ada", "nobody"):
        for _ in range(OF_NAME):
            attempt = Attempt(username, "", site.services.accounts.world.elapsed())
            site.services.accounts.sign_ins.begin(attempt)
        form = {"username": username, "password": PASSWORD, "next": "/explore"}
        answer = await site.visitor().post("/signin", data=form)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= SECONDS
        assert "Too many sign-ins have failed" in text_of(answer.text)
        assert "set-cookie" not in answer.headers
        assert PASSWORD not in answer.text
        texts.add(answer.text.replace(username, "NAME"))
    assert len(texts) == 1
    assert (await signed_in.get("/v1/account")).status_code == 200


async def test_a_link_signs_in_once_and_sets_a_password(site: Site) -> None:
    """Opening a link uses nothing up and says for whom it is; its form signs in, once.

    A short password is refused before, and whoever opens a link that was used is not asked for one.
    """
    secret = await site.services.accounts.create_login_link(site.accounts["bob"])
    browser, path = site.visitor(), f"/signin/link/{secret}"
    for _ in range(2):
        opened = await browser.get(path)
        assert (opened.status_code, "<strong>bob</strong>" in opened.text) == (200, True)
    short = await browser.post(path, data={"password": "short"})
    assert (short.status_code, "this has 5" in short.text) == (422, True)
    assert (await browser.post(path, data={"password": "a new password"})).headers["location"] == "/"
    assert "Latest predictions" in (await browser.get("/")).text
    again = await site.visitor().post(path, data={"password": "another password"})
    assert (again.status_code, "has been used" in again.text) == (422, True)
    looked = await site.visitor().get(path)
    assert (looked.status_code, "has been used" in looked.text, "New password" in looked.text) == (
        404,
        True,
        False,
    )
    assert await site.services.accounts.verify_password("bob", "a new password") is not None


async def test_signing_out(site: Site) -> None:
    """A form ends the session; an address alone does not."""
    ada = await site.signed_in("ada")
    assert (await ada.get("/signout")).status_code == 200
    assert "Latest predictions" in (await ada.get("/")).text
    await ada.post("/signout")
    assert "Latest predictions" not in (await ada.get("/")).text


async def test_a_copied_cookie_ends_with_its_session(site: Site) -> None:
    """Signing out ends the session on pages and in the API, for every copy of the cookie; another session goes on."""
    ada, elsewhere = await site.signed_in("ada"), await site.signed_in("ada")
    thief = site.visitor()
    thief.cookies.update(ada.cookies)
    assert (await thief.get("/v1/account")).status_code == 200
    await ada.post("/signout")
    assert (await thief.get("/v1/account")).status_code == 401
    assert (await thief.get("/account/api-tokens")).headers["location"].startswith("/signin")
    assert (await elsewhere.get("/v1/account")).status_code == 200


async def test_a_new_password_ends_every_other_session(site: Site) -> None:
    """Whoever sets it stays signed in; so does everybody else's account."""
    old, bob, fresh = await site.signed_in("ada"), await site.signed_in("bob"), site.visitor()
    secret = await site.services.accounts.create_login_link(site.accounts["ada"])
    await fresh.post(f"/signin/link/{secret}", data={"password": PASSWORD})
    found = [(await browser.get("/v1/account")).status_code for browser in (old, bob, fresh)]
    assert found == [401, 200, 200]


async def test_signing_in_again_ends_the_session_before(site: Site) -> None:
    """A session that was planted in a browser is never the one that goes on."""
    browser = await site.signed_in("bob")
    copy = site.visitor()
    copy.cookies.update(browser.cookies)
    secret = await site.services.accounts.create_login_link(site.accounts["ada"])
    await browser.post(f"/signin/link/{secret}", data={"skip": "1"})
    assert (await browser.get("/v1/account")).json()["username"] == "ada"
    assert (await copy.get("/v1/account")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    ],
)
async def test_another_sites_page_changes_nothing(site: Site, headers: dict[str, str]) -> None:
    """A form on another site cannot act in a person's name, nor sign them in as somebody else."""
    ada = await site.signed_in("ada")
    forms = {
        "/create": {"name": "evil"},
        "/account/api-tokens": {"name": "evil"},
        "/auth/token": {},
        "/signout": {},
    }
    for path, form in forms.items():
        assert (await ada.post(path, data=form, headers=headers)).status_code == 403
    await site.services.accounts.set_password(site.accounts["bob"], PASSWORD)
    login = {"username": "bob", "password": PASSWORD}
    assert (await site.visitor().post("/signin", data=login, headers=headers)).status_code == 403
    assert await site.services.accounts.tokens(site.accounts["ada"]) == ()


async def test_tokens(site: Site) -> None:
    """A token is shown once, works, is listed by its end, and is gone when revoked; another's cannot be."""
    ada = await site.signed_in("ada")
    shown = await ada.post("/account/api-tokens", data={"name": HOSTILE})
    token = next(word for word in text_of(shown.text).split() if word.startswith("cyd_"))
    held = await site.services.accounts.holder(token)
    assert held is not None
    assert held.account == site.accounts["ada"]
    assert HOSTILE not in shown.text
    listed = await ada.get("/account/api-tokens")
    assert token not in listed.text
    assert f"…{token[-4:]}" in listed.text
    (kept,) = await site.services.accounts.tokens(site.accounts["ada"])
    await (await site.signed_in("bob")).post(f"/account/api-tokens/{kept.id}/revoke")
    assert await site.services.accounts.holder(token) is not None
    await ada.post(f"/account/api-tokens/{kept.id}/revoke")
    assert await site.services.accounts.holder(token) is None


async def test_a_token_for_the_command_line(site: Site) -> None:
    """Looking makes no token; the form makes one that works."""
    ada = await site.signed_in("ada")
    await ada.get("/auth/token")
    assert await site.services.accounts.tokens(site.accounts["ada"]) == ()
    shown = await ada.post("/auth/token")
    token = next(word for word in text_of(shown.text).split() if word.startswith("cyd_"))
    held = await site.services.accounts.holder(token)
    assert held is not None
    assert held.account == site.accounts["ada"]


async def test_a_prediction_is_its_authors(site: Site) -> None:
    """The page and the card of a prediction are there for who made it, and for nobody else."""
    version = await site.version("ada", "hello")
    made = await site.ran(version, {"text": "Ada"}, Outcome(status="succeeded", output="hello Ada"))
    ada = await site.signed_in("ada")
    for path in (f"/p/{made}", f"/p/{made}/card", "/predictions", "/"):
        assert "Ada" in (await ada.get(path)).text
    for browser in (site.visitor(), await site.signed_in("bob")):
        for path in (f"/p/{made}", f"/p/{made}/card"):
            assert (await browser.get(path)).status_code == 404
        assert "hello Ada" not in (await browser.get(f"/ada/hello?prediction={made}")).text


async def test_cancel_without_a_script(site: Site) -> None:
    """The Cancel button is a form, so it works where no script does."""
    version = await site.version("ada", "hello")
    made = await site.services.predictions.create(site.accounts["ada"], version=version, input={"text": "x"})
    assert (await (await site.signed_in("bob")).post(f"/p/{made.id}/cancel")).status_code == 404
    ada = await site.signed_in("ada")
    assert (await ada.post(f"/p/{made.id}/cancel")).headers["location"] == f"/p/{made.id}"
    assert 'data-status="canceled"' in (await ada.get(f"/p/{made.id}")).text


async def test_nothing_hostile_becomes_an_element(site: Site) -> None:
    """Inputs, outputs, errors, logs, descriptions and READMEs of strangers are text on every page."""
    version = await site.version("ada", "hello")
    ada = site.accounts["ada"]
    await site.services.models.update(ada, "ada", "hello", description=HOSTILE, readme=HOSTILE)
    failed = await site.ran(version, {"text": HOSTILE}, Outcome(status="failed", error=HOSTILE))
    done = await site.ran(
        version, {"text": HOSTILE}, Outcome(status="succeeded", output={HOSTILE: [HOSTILE]})
    )
    browser = await site.signed_in("ada")
    paths = ["/", "/explore", "/predictions", "/ada", f"/p/{failed}", f"/p/{done}", f"/p/{done}/card"]
    paths += [
        f"/ada/hello{tab}" for tab in ("", "/api", "/readme", "/versions", "/settings", f"?prediction={done}")
    ]
    paths += [f"/ada/hello/api?prediction={done}", f"/explore?q={HOSTILE}"]
    for path in paths:
        answer = await browser.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert "<img src=x" not in answer.text, path
        assert "onerror=alert(1)>" not in answer.text, path


async def test_secrets_are_on_no_page(site: Site) -> None:
    """What was typed into a secret field is shown nowhere, not even to who typed it."""
    version = await site.version("ada", "hello")
    given = {"text": "x", "key": SECRET}
    waiting = await site.services.predictions.create(site.accounts["ada"], version=version, input=given)
    done = await site.ran(version, given, Outcome(status="succeeded", output="x"))
    browser = await site.signed_in("ada")
    for made in (waiting.id, done):
        for path in (
            f"/p/{made}",
            f"/p/{made}/card",
            f"/ada/hello?prediction={made}",
            f"/ada/hello/api?prediction={made}",
            "/predictions",
            "/",
        ):
            assert SECRET not in (await browser.get(path)).text, path


async def test_the_api_tab_shows_the_input_that_is_sent_to_it(site: Site) -> None:
    """The code is written for what is in the form; what is no input is ignored."""
    version = await site.version("ada", "hello")
    browser = site.visitor()
    for given, expected in (
        ('{"text": "from the form"}', "from the form"),
        ("[" * 5000, "text"),
        (r'{"text": "\ud800"}', "text"),
        ("7", "text"),
    ):
        answer = await browser.post("/ada/hello/snippets", data={"version": version.id, "input": given})
        assert answer.status_code == 200
        assert expected in answer.text
    assert (await browser.post("/ada/hello/snippets", data={"version": "f" * 64})).status_code == 404


async def test_every_page_has_the_policy(site: Site) -> None:
    """No page may run anything but our own files, be framed, or be kept."""
    for path in ("/", "/signin", "/nothing/here", "/explore"):
        headers = (await site.visitor().get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "private, no-store"


async def test_static_files_are_kept_for_good_under_their_release(site: Site) -> None:
    """A page's files are there, of the right type, and nothing outside the folder is."""
    page = (await site.visitor().get("/")).text
    address = next(part for part in page.split('"') if part.endswith("/app.js"))
    script = await site.visitor().get(address)
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    release = address.rsplit("/", 1)[0]
    for path in ("/../assets.py", "/%2e%2e/assets.py", "/vendor/../../assets.py", "/nothing.js"):
        assert (await site.visitor().get(release + path)).status_code == 404


async def test_a_body_that_is_no_form_is_refused(site: Site) -> None:
    """Too many fields, bytes that are no text and a huge body are refused in words."""
    browser = site.visitor()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, status in ((b"a=1&" * 100, 400), (b"\xff\xfe=1", 400), (b"a=" + b"x" * 2_000_000, 413)):
        assert (await browser.post("/signin", content=body, headers=headers)).status_code == status


async def test_lists_go_on(site: Site) -> None:
    """A list that is longer than a page leads to the rest, and a cursor that nobody gave is refused."""
    version = await site.version("ada", "hello")
    for number in range(53):
        await site.services.predictions.create(
            site.accounts["ada"], version=version, input={"text": f"n{number}"}
        )
    browser = await site.signed_in("ada")
    first = (await browser.get("/predictions")).text
    address = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    rest = (await browser.get(address.replace("&amp;", "&"))).text
    assert first.count("prediction-row") == 50
    assert rest.count("prediction-row") == 3
    assert (await browser.get("/predictions?cursor=nonsense")).status_code == 400


async def test_a_schema_of_nonsense_still_has_a_page(site: Site) -> None:
    """Whatever a pushed image says its schema is, its pages answer."""
    schema = {
        "components": {"schemas": {"Input": {"properties": {"x": 7, "y": {"$ref": "#/a"}}}, "Output": []}}
    }
    await site.version("ada", "odd", schema=schema)
    browser = await site.signed_in("ada")
    for tab in ("", "/api", "/versions"):
        assert (await browser.get(f"/ada/odd{tab}")).status_code == 200


async def test_lists_of_models_go_on(site: Site) -> None:
    """Explore and a profile lead to the rest of what they list."""
    for number in range(27):
        await site.version("ada", f"m{number}", schema=TEXT_SCHEMA)
    assert len((await site.services.models.list(None, Window(limit=99))).items) == 27
    for path in ("/explore", "/ada"):
        first = (await site.visitor().get(path)).text
        address = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
        rest = (await site.visitor().get(address)).text
        assert (first.count("model-row"), rest.count("model-row")) == (25, 2)
