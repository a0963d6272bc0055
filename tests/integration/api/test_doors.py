"""Which part of the platform an address means, who is let in, and what every answer says."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import itsdangerous
import pytest
from cogyard.testing.api import BASE, SECRET, ApiPlatform
from cogyard.web.application import SESSION_COOKIE
from cogyard.web.settings import WebSettings

pytestmark = pytest.mark.anyio


async def session_of(platform: ApiPlatform, name: str, secret: str = SECRET) -> dict[str, str]:
    """Return the cookie of somebody who has signed in."""
    session = await platform.services.accounts.begin_session(platform.accounts[name])
    data = b64encode(json.dumps({"session": session}).encode())
    return {SESSION_COOKIE: itsdangerous.TimestampSigner(secret).sign(data).decode()}


async def _predict(client: httpx2.AsyncClient, platform: ApiPlatform, **headers: str) -> httpx2.Response:
    body = {"version": platform.version.id, "input": {"text": "x"}}
    return await client.post("/v1/predictions", json=body, headers=headers)


@pytest.mark.parametrize("base", ["/v1", "/v1/v1", ""])
async def test_every_base_that_clients_may_be_given_works(platform: ApiPlatform, base: str) -> None:
    """With /v1, without it, and twice (wire gotcha 1)."""
    async with platform.client() as client:
        assert (await client.get(f"{base}/account")).json()["username"] == "owner"
        assert (await client.get(f"{base}/predictions")).json()["results"] == []


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "bearer"])
async def test_both_ways_to_give_a_token(platform: ApiPlatform, scheme: str) -> None:
    """Old samples say Token."""
    headers = {"Authorization": f"{scheme} {platform.tokens['owner']}"}
    async with platform.client(None, headers=headers) as client:
        assert (await client.get("/v1/account")).status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer x", "Basic b3duZXI6eA==", "Bearer " + "x" * 5000, "Bearer cyd_" + "0" * 40],
)
async def test_without_a_token_the_answer_is_a_401(platform: ApiPlatform, header: str | None) -> None:
    """The words are those that clients know, as a problem."""
    async with platform.client(None, headers={} if header is None else {"Authorization": header}) as client:
        answer = await client.get("/v1/predictions")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "title": "Unauthenticated",
        "detail": "You did not pass a valid authentication token",
        "status": 401,
    }


async def test_a_revoked_token_is_nobodys_at_once(platform: ApiPlatform) -> None:
    """The very next request is refused."""
    accounts, owner = platform.services.accounts, platform.accounts["owner"]
    async with platform.client() as client:
        assert (await client.get("/v1/account")).status_code == 200
        for token in await accounts.tokens(owner):
            assert await accounts.revoke(owner, token.id)
        assert (await client.get("/v1/account")).status_code == 401


@pytest.mark.parametrize("held", [{"account": 1}, {"session": 1}, {"session": "x" * 32}, {"session": ""}, {}])
async def test_a_cookie_that_names_no_session_is_nobodys(
    platform: ApiPlatform, held: dict[str, object]
) -> None:
    """Also with our signature: an earlier release's cookie named the account alone."""
    signed = itsdangerous.TimestampSigner(SECRET).sign(b64encode(json.dumps(held).encode())).decode()
    async with platform.client(None, cookies={SESSION_COOKIE: signed}) as browser:
        assert (await browser.get("/v1/account")).status_code == 401


async def test_a_session_counts_only_from_our_own_pages(platform: ApiPlatform) -> None:
    """Another site can make a browser send the cookie, but not say that it comes from here."""
    async with platform.client(None, cookies=await session_of(platform, "owner")) as browser:
        ours = await _predict(browser, platform, **{"Sec-Fetch-Site": "same-origin"})
        assert ours.status_code == 201
        assert ours.json()["source"] == "web"
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ):
            assert (await _predict(browser, platform, **headers)).status_code == 403
        assert (
            await browser.get("/v1/account", headers={"Sec-Fetch-Site": "same-origin"})
        ).status_code == 200


async def test_a_forged_session_is_nobody(platform: ApiPlatform) -> None:
    """The cookie is signed."""
    async with platform.client(
        None, cookies=await session_of(platform, "owner", "another secret")
    ) as browser:
        assert (await browser.get("/v1/account")).status_code == 401


async def test_a_wrong_token_is_not_saved_by_a_session(platform: ApiPlatform) -> None:
    """Whoever shows a token is who the token says, or nobody."""
    headers = {"Authorization": "Bearer wrong"}
    async with platform.client(None, cookies=await session_of(platform, "owner"), headers=headers) as browser:
        assert (await browser.get("/v1/account")).status_code == 401


async def test_a_password_for_a_proxy_is_not_for_us(platform: ApiPlatform) -> None:
    """Behind a proxy that asks for one, pages stay pages and sessions count."""
    headers = {"Authorization": "Basic b3duZXI6eA=="}
    async with platform.client(None, cookies=await session_of(platform, "owner"), headers=headers) as browser:
        assert (await browser.get("/predictions")).headers["content-type"].startswith("text/html")
        assert (await browser.get("/v1/account")).json()["username"] == "owner"


async def test_other_sites_may_call_with_a_token_and_never_with_cookies(platform: ApiPlatform) -> None:
    """CORS says everybody, and does not say credentials; official clients send headers of their own."""
    sent = "authorization,prefer,content-type,user-agent,x-stainless-os,x-stainless-retry-count,traceparent"
    headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": sent,
    }
    async with platform.client(None) as browser:
        preflight = await browser.options("/v1/predictions", headers=headers)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-headers"] == sent
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in preflight.headers
    async with platform.client("owner", headers={"Origin": "https://app.example"}) as client:
        answer = await client.get("/v1/account")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("base", ["/v1", "/v1/v1", ""])
async def test_a_browser_may_ask_before_it_calls_at_every_base(platform: ApiPlatform, base: str) -> None:
    """Its question has no token, and says that the call will have one; what asks for less is a page's matter."""
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    async with platform.client(None, headers=asked) as browser:
        answer = await browser.options(
            f"{base}/predictions", headers={"Access-Control-Request-Headers": "Authorization, x-other"}
        )
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "*"
        page = await browser.options("/predictions", headers={"Access-Control-Request-Headers": "x-other"})
        assert "access-control-allow-origin" not in page.headers


async def test_pages_of_others_may_read_files(platform: ApiPlatform) -> None:
    """Also a part, what the headers say of it, and that there is none; but not leave anything there."""

    async def content() -> AsyncIterator[bytes]:
        yield b"0123456789"

    owner = platform.accounts["owner"]
    file = await platform.services.files.create(owner, "a.txt", "text/plain", content(), prediction_id="p")
    path = f"/delivery/{file.token}/a.txt"
    async with platform.client(None, headers={"Origin": "https://app.example"}) as browser:
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range,x-any"}
        assert (await browser.options(path, headers=asked)).status_code == 200
        found = await browser.get(path, headers={"Range": "bytes=-3"})
        assert (found.status_code, found.content) == (206, b"789")
        assert found.headers["access-control-allow-origin"] == "*"
        readable = found.headers["access-control-expose-headers"]
        assert {"Content-Range", "ETag", "Accept-Ranges"} <= set(readable.split(", "))
        missing = await browser.get(f"/delivery/{file.token}/b.txt")
        assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (404, "*")
        wanted = {"Access-Control-Request-Method": "PUT"}
        assert (await browser.options("/internal/outputs/x/y", headers=wanted)).status_code == 400


async def test_pages_say_once_what_they_depend_on(platform: ApiPlatform) -> None:
    """`Vary: Cookie`, signed in or not, also of errors."""
    for cookies in (None, await session_of(platform, "owner")):
        async with platform.client(None, cookies=cookies) as browser:
            for path in ("/", "/explore", "/owner/none", "/signin"):
                answer = await browser.get(path)
                assert answer.headers["vary"] == "Cookie", path


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/predictions/x/y/z", "/v1/", "/v1", "/delivery/x", "/internal/x"]
)
async def test_an_address_that_is_none_is_a_problem(platform: ApiPlatform, path: str) -> None:
    """Not a page."""
    async with platform.client() as client:
        answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_is_none_names_those_there_are(platform: ApiPlatform) -> None:
    """405 with Allow."""
    async with platform.client() as client:
        answer = await client.put("/v1/models/owner/echo", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_answers_are_kept_by_nobody(platform: ApiPlatform) -> None:
    """Frameworks that cache fetches would poll for ever."""
    async with platform.client() as client:
        answer = await client.get("/v1/account")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"{}", b'{"input": []}', b'{"input": {}, "version": 1}']
)
async def test_a_body_that_is_no_request_is_a_problem(platform: ApiPlatform, body: bytes) -> None:
    """400 or 422, never a crash."""
    async with platform.client() as client:
        answer = await client.post(
            "/v1/predictions", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("depth", [101, 900, 100_000])
async def test_absurdly_nested_json_is_refused(platform: ApiPlatform, depth: int) -> None:
    """Nothing that walks a value can be made to fall."""
    nested = b"[" * depth + b"]" * depth
    body = b'{"version": "' + platform.version.id.encode() + b'", "input": {"text": ' + nested + b"}}"
    async with platform.client() as client:
        answer = await client.post(
            "/v1/predictions", content=body, headers={"Content-Type": "application/json"}
        )
        metadata = await client.post(
            "/v1/files", files={"content": ("a", b"x")}, data={"metadata": nested[:60_000]}
        )
    assert answer.status_code in {400, 422}
    assert metadata.status_code in {400, 422}


@pytest.mark.parametrize(
    "id",
    [
        "x",
        "%00",
        "%0a",
        "..%2f..%2fetc",
        "é",
        "0" * 26,
        "' OR 1=1 --",
        "A" * 5000,
        "01m81en5y16pa08s52ryrftj5c%0a",
    ],
)
async def test_hostile_ids_are_a_404(platform: ApiPlatform, id: str) -> None:
    """Whatever stands where an id should."""
    async with platform.client() as client:
        for path in (
            "predictions/{}",
            "files/{}",
            "models/owner/{}",
            "models/{}/x",
            "models/owner/echo/versions/{}",
        ):
            answer = await client.get("/v1/" + path.format(id))
            assert answer.status_code == 404, path


async def test_health_is_for_anyone(platform: ApiPlatform) -> None:
    """A proxy may ask without a token, and with one."""
    for name in (None, "owner"):
        async with platform.client(name) as client:
            assert (await client.get("/healthz")).text == "ok\n"


async def test_pages_and_api_share_addresses(platform: ApiPlatform) -> None:
    """/predictions with a token is the API; without, a page that asks to sign in."""
    async with platform.client(None) as browser:
        page = await browser.get("/predictions")
        assert page.status_code == 303
        assert page.headers["location"].startswith("/signin")
        home = await browser.get("/")
        assert home.headers["content-type"].startswith("text/html")
        assert (
            "script-src 'self'" in home.headers["content-security-policy"]
            or "default-src 'self'" in (home.headers["content-security-policy"])
        )
        missing = await browser.get("/owner/none")
        assert missing.status_code == 404
        assert missing.headers["content-type"].startswith("text/html")


async def test_addresses_begin_where_the_client_came_in(platform: ApiPlatform) -> None:
    """Another name for the same host is kept in every address (wire gotcha 10)."""
    async with platform.client(base_url="https://models.example") as client:
        created = (await _predict(client, platform)).json()
    assert created["urls"]["get"].startswith("https://models.example/v1/predictions/")
    assert BASE not in json.dumps(created)


async def test_aborted_is_said_only_to_those_who_know_it(platform: ApiPlatform) -> None:
    """Old clients fail on the word or wait for ever (wire gotcha 14)."""
    async with platform.client() as client:
        created: dict[str, Any] = (await _predict(client, platform, **{"Cancel-After": "5s"})).json()
        past = 0
        await platform.database.write(
            lambda db: db.execute("UPDATE queue SET deadline = ?", (past,)).rowcount
        )
        await platform.database.write(
            lambda db: db.execute("UPDATE predictions SET deadline = ?", (past,)).rowcount
        )
        await platform.services.predictions.queue.sweep()
        old = (await client.get(created["urls"]["get"])).json()
        new = (
            await client.get(created["urls"]["get"], headers={"User-Agent": "Replicate/Python 2.0.0"})
        ).json()
    assert old["status"] == "canceled"
    assert new["status"] == "aborted"


class _Broken:
    """A store in which everything is broken."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the password is hunter2")


async def test_a_bug_is_said_to_be_ours_and_nothing_else(
    platform: ApiPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """A problem for clients, a page for browsers, the details for the log alone."""
    object.__setattr__(platform.services.models, "store", _Broken())
    async with platform.client() as client, platform.client(None) as browser:
        answer = await client.get("/v1/models/owner/echo")
        page = await browser.get("/owner/echo")
    assert (answer.status_code, page.status_code) == (500, 500)
    assert answer.headers["content-type"] == "application/problem+json"
    assert page.headers["content-type"].startswith("text/html")
    assert "hunter2" not in answer.text + page.text
    assert "hunter2" in caplog.text


@pytest.mark.parametrize("public_url", [None, "https://models.example"])
async def test_a_session_cookie_is_kept_from_scripts_and_other_sites(
    tmp_path: Path, public_url: str | None
) -> None:
    """HttpOnly and SameSite; Secure where the platform is reached by TLS. Signing out ends it."""
    settings = WebSettings(session_secret=SECRET, public_url=public_url)
    async with ApiPlatform.open(tmp_path, settings=settings) as platform:
        await platform.services.accounts.set_password(platform.accounts["owner"], "correct horse")
        async with platform.client(None, headers={"Sec-Fetch-Site": "same-origin"}) as browser:
            form = {"username": "owner", "password": "correct horse"}
            cookie = (await browser.post("/signin", data=form)).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert ("secure" in cookie.split("; ")) is (public_url is not None)


async def test_a_public_url_wins(tmp_path: Path) -> None:
    """Whatever name the client used."""
    settings = WebSettings(session_secret=SECRET, public_url="https://models.example")
    async with ApiPlatform.open(tmp_path, settings=settings) as platform, platform.client() as client:
        created = (await _predict(client, platform)).json()
    assert created["urls"]["get"].startswith("https://models.example/v1/")
