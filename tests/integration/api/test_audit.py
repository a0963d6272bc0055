"""What was done is noted, by whom, to what and from where; and nothing of what was in it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from cogyard.domain.scopes import Scope
from cogyard.features.audit.ports import Entry, Wanted
from cogyard.features.audit.refusals import MOST
from cogyard.testing.api import ApiPlatform

pytestmark = pytest.mark.anyio
BASE = "http://cogyard.test"


def _client(platform: ApiPlatform, token: str | None = None) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {"Sec-Fetch-Site": "same-origin"}
    transport = httpx2.ASGITransport(app=platform.app, client=("203.0.113.9", 4711))
    return httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers)


async def _entries(platform: ApiPlatform, **wanted: Any) -> list[Entry]:
    assert platform.services.audit is not None
    return list(await platform.services.audit.entries(Wanted(**wanted)))


async def test_changes_by_the_api_are_noted(platform: ApiPlatform) -> None:
    """Who, how, what, to what, from where; read-only requests, what is not there, predictions and files are not."""
    before = len(await _entries(platform))
    body = {"owner": "owner", "name": "fresh", "visibility": "private", "hardware": "cpu"}
    async with (
        _client(platform, platform.tokens["owner"]) as http,
        _client(platform, platform.tokens["other"]) as other,
    ):
        assert (await http.post("/v1/models", json=body)).status_code == 201
        assert (await http.post("/v1/models", json=body)).status_code == 409
        assert (await other.patch("/v1/models/owner/fresh", json={"description": "x"})).status_code == 404
        assert (
            await http.patch("/v1/v1/models/owner/fresh", json={"description": "s3cret"})
        ).status_code == 200
        assert (await http.get("/v1/models/owner/fresh")).status_code == 200
        asked = {"version": platform.version.id, "input": {"text": "a"}}
        assert (await http.post("/v1/predictions", json=asked)).status_code in {201, 202, 422}
        assert (await http.post("/v1/files", files={"content": ("a", b"b")})).status_code == 201
        assert (await http.delete("/v1/models/owner/fresh")).status_code == 204
    found = list(reversed(await _entries(platform)))[before:]
    assert [(one.action, one.subject, one.refused) for one in found] == [
        ("models.create", "owner/fresh", None),
        ("models.create", "owner/fresh", 409),
        ("models.update", "owner/fresh", None),
        ("models.delete", "owner/fresh", None),
    ]
    assert {(one.actor, one.via, one.client) for one in found} == {("owner", "token", "203.0.113.9")}
    assert "s3cret" not in str(found)


async def test_refused_changes_are_noted_with_their_status(platform: ApiPlatform) -> None:
    """What another account may not, what is in use, what a token is too narrow for; of whom nobody knows, nothing."""
    accounts, (owner, name) = platform.services.accounts, platform.model.path.split("/")
    narrow = await accounts.create_token(platform.accounts["owner"], "narrow", scope=Scope.READ)
    path = f"/v1/models/{owner}/{name}"
    before = len(await _entries(platform))
    async with (
        _client(platform, platform.tokens["other"]) as other,
        _client(platform, platform.tokens["owner"]) as http,
        _client(platform, narrow) as reader,
        _client(platform) as nobody,
    ):
        assert (await other.delete(path)).status_code == 403
        assert (await http.delete(path)).status_code == 409
        assert (await reader.post("/v1/tokens", json={"name": "wider"})).status_code == 403
        assert (await other.get(f"{path}/limits")).status_code == 403
        assert (await nobody.delete(path)).status_code in {401, 404}
        assert (await nobody.post("/signout", headers={"sec-fetch-site": "cross-site"})).status_code == 403
    found = list(reversed(await _entries(platform)))[before:]
    assert [(one.actor, one.via, one.action, one.subject, one.refused) for one in found] == [
        ("other", "token", "models.delete", f"{owner}/{name}", 403),
        ("owner", "token", "models.delete", f"{owner}/{name}", 409),
        ("owner", "token", "tokens.create", "", 403),
    ]
    assert {one.client for one in found} == {"203.0.113.9"}


async def test_what_is_refused_at_the_door_is_noted_too(platform: ApiPlatform) -> None:
    """Another site's form that came with a session, and who acts for an organization without being a member of it."""
    owner, name = platform.model.path.split("/")
    link = await platform.services.accounts.create_login_link(platform.accounts["owner"])
    async with _client(platform) as page, _client(platform, platform.tokens["other"]) as other:
        assert (await page.post(f"/signin/link/{link}", data={"skip": "1"})).status_code == 303
        before = len(await _entries(platform))
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert (await page.post(f"/{owner}/{name}/delete", headers=elsewhere)).status_code == 403
        assert (await page.delete(f"/v1/models/{owner}/{name}", headers=elsewhere)).status_code == 403
        acting = {"Cogyard-Account": "nobody-knows"}
        assert (await other.patch(f"/v1/models/{owner}/{name}", json={}, headers=acting)).status_code == 403
        assert (await other.get(f"/v1/models/{owner}/{name}", headers=acting)).status_code == 403
        assert (await page.get("/p/x", headers=elsewhere)).status_code == 404
    found = list(reversed(await _entries(platform)))[before:]
    assert [(one.actor, one.via, one.action, one.subject, one.refused) for one in found] == [
        ("owner", "session", "models.delete", f"{owner}/{name}", 403),
        ("owner", "session", "models.delete", f"{owner}/{name}", 403),
        ("other", "token", "models.update", f"{owner}/{name}", 403),
    ]


async def test_refusals_of_one_account_are_few(
    platform: ApiPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever goes on asking fills no disk; others' refusals and what the account may do are noted all the same."""
    before = len(await _entries(platform, limit=10_000))
    path = f"/v1/models/{platform.model.path}"
    async with (
        _client(platform, platform.tokens["other"]) as other,
        _client(platform, platform.tokens["owner"]) as http,
    ):
        for _ in range(MOST + 5):
            assert (await other.delete(path)).status_code == 403
        assert (await other.post("/v1/tokens", json={"name": "mine"})).status_code == 201
        assert (await http.delete(path)).status_code == 409
    found = list(reversed(await _entries(platform, limit=10_000)))[before:]
    refused = [one.actor for one in found if one.refused is not None]
    assert refused == ["other"] * MOST + ["owner"]
    assert [one.subject for one in found if one.refused is None] == ["mine"]
    assert caplog.text.count("audit_refusals_full") == 1


async def test_pages_and_api_call_the_same_thing_the_same(platform: ApiPlatform) -> None:
    """Whoever looks for a model finds what was done to it by either door."""
    owner, name = platform.model.path.split("/")
    link = await platform.services.accounts.create_login_link(platform.accounts["owner"])
    async with _client(platform) as page, _client(platform, platform.tokens["owner"]) as http:
        assert (await page.post(f"/signin/link/{link}", data={"skip": "1"})).status_code == 303
        before = len(await _entries(platform))
        assert (await page.post(f"/{owner}/{name}/limits", data={"at_once": "7"})).status_code == 303
        assert (await http.patch(f"/v1/models/{owner}/{name}/limits", json={"at_once": 8})).status_code == 200
        made = {"name": "both", "description": "", "visibility": "private"}
        assert (await page.post("/create", data=made)).status_code == 303
        assert (await page.post("/owner/both/delete", data={"confirm": "owner/both"})).status_code == 303
        body = {**made, "owner": "owner", "hardware": "cpu"}
        assert (await http.post("/v1/models", json=body)).status_code == 201
        assert (await http.delete("/v1/models/owner/both")).status_code == 204
    found = list(reversed(await _entries(platform)))[before:]
    assert [(one.via, one.action, one.subject) for one in found] == [
        (via, action, subject)
        for pair in (
            [
                ("session", "models.limits.update", f"{owner}/{name}"),
                ("token", "models.limits.update", f"{owner}/{name}"),
            ],
            [
                (via, action, "owner/both")
                for via in ("session", "token")
                for action in ("models.create", "models.delete")
            ],
        )
        for via, action, subject in pair
    ]


async def test_sign_ins_are_noted_good_and_bad_without_what_opens(platform: ApiPlatform) -> None:
    """A wrong password names whom it was tried for; neither passwords, links nor tokens are kept."""
    accounts = platform.services.accounts
    await accounts.set_password(platform.accounts["owner"], "correct horse battery")
    link = await accounts.create_login_link(platform.accounts["other"])
    async with _client(platform) as http:
        wrong = {"username": "owner", "password": "hunter2hunter2"}
        assert (await http.post("/signin", data=wrong)).status_code == 422
        right = {"username": "owner", "password": "correct horse battery"}
        assert (await http.post("/signin", data=right)).status_code == 303
        assert (await http.post("/account/api-tokens", data={"name": "laptop"})).status_code == 200
        assert (await http.post("/signout")).status_code == 303
        assert (await http.post(f"/signin/link/{link}", data={"skip": "1"})).status_code == 303
        assert (await http.post("/signin/link/nonsense", data={"skip": "1"})).status_code == 422
    found = list(reversed(await _entries(platform, limit=6)))
    assert [(one.action, one.actor, one.via, one.subject) for one in found] == [
        ("signin.failed", "", "password", "owner"),
        ("signin.password", "owner", "password", "owner"),
        ("tokens.create", "owner", "session", "laptop"),
        ("signout", "owner", "session", ""),
        ("signin.link", "other", "link", "other"),
        ("signin.failed", "other", "link", ""),
    ]
    kept = str(await _entries(platform, limit=10_000))
    for secret in (link, "hunter2", "correct horse", "cyd_"):
        assert secret not in kept


async def test_a_log_that_cannot_be_written_does_not_undo_what_was_done(
    platform: ApiPlatform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is what happened; that it was not noted is logged."""

    async def fails(_entry: Entry) -> None:
        raise OSError("full")

    assert platform.services.audit is not None
    # The store is a frozen value: its class is what can be made to fail.
    monkeypatch.setattr(type(platform.services.audit.store), "add", lambda _self, entry: fails(entry))
    async with _client(platform, platform.tokens["owner"]) as http:
        answer = await http.patch("/v1/models/owner/echo", json={"description": "kept"})
    assert answer.status_code == 200
    assert "audit_not_kept" in caplog.text


async def test_the_page_is_for_administrators_alone(platform: ApiPlatform) -> None:
    """Others get what they get for a page that is not there; what strangers wrote cannot act on it."""
    hostile = '"><script>alert(1)</script>'
    async with _client(platform) as http:
        await http.post("/signin", data={"username": hostile, "password": "hunter2hunter2"})
        assert (await http.get("/account/audit")).status_code in {303, 401, 404}
        for name, status in (("owner", 404), ("root", 200)):
            link = await platform.services.accounts.create_login_link(platform.accounts[name])
            assert (await http.post(f"/signin/link/{link}", data={"skip": "1"})).status_code == 303
            shown = await http.get("/account/audit")
            assert shown.status_code == status
        assert "<script>alert" not in shown.text
        assert "&lt;script&gt;alert" in shown.text
        only = await http.get("/account/audit?account=root&action=signin")
        assert "signin.link" in only.text
        assert "alert" not in only.text
