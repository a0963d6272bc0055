"""What is met by whoever asks when something of ours breaks: each part in its own words, and a name for the log."""

from __future__ import annotations

import logging
import re

import pytest
from cogyard.features.accounts.service import Accounts
from cogyard.features.models.service import Models
from cogyard.testing.api import ApiPlatform

pytestmark = pytest.mark.anyio
_ID = re.compile("[0-9a-f]{16}")


async def _breaks(*_: object, **__: object) -> None:
    raise RuntimeError("s3cret: /srv/cogyard")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look at a model fail. Services are frozen values: their class is what can be made to fail."""
    monkeypatch.setattr(Models, "get", _breaks)


def _one(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    (found,) = (each for each in caplog.records if each.getMessage() == "request_broke")
    return found


async def test_a_page_that_breaks_is_a_page(
    platform: ApiPlatform, broken: None, caplog: pytest.LogCaptureFixture
) -> None:
    """It says that it was us, and what to tell the operator; the log has that name, with the traceback."""
    async with platform.client(None) as browser:
        answer = await browser.get("/owner/echo", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    name = answer.headers["x-request-id"]
    assert _ID.fullmatch(name)
    assert f"the request id {name}" in answer.text
    for secret in ("s3cret", "Traceback", "RuntimeError"):
        assert secret not in answer.text
    logged = vars(_one(caplog))
    assert (logged["request_id"], logged["at"], logged["part"]) == (name, "/{owner}/{name}", "pages")
    assert "s3cret" in str(logged["exc_info"][1])


async def test_the_api_breaks_in_its_own_words(
    platform: ApiPlatform, broken: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A problem document, also for a browser; the name is the request's own where that says one."""
    async with platform.client(headers={"X-Request-Id": "edge-7", "Accept": "text/html"}) as client:
        answer = await client.get("/v1/models/owner/echo")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    said = answer.json()
    assert (said["status"], said["request_id"], answer.headers["x-request-id"]) == (500, "edge-7", "edge-7")
    assert "edge-7" in said["detail"]
    assert "s3cret" not in answer.text
    assert (vars(_one(caplog))["request_id"], vars(_one(caplog))["at"]) == ("edge-7", "models.get")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/owner/echo", "text/html"),
        ("/account/api-tokens", "text/html"),
        ("/v1/account", "application/problem+json"),
        ("/delivery/x/y", "application/problem+json"),
    ],
)
async def test_who_cannot_be_recognised_is_told_by_the_part_that_was_meant(
    platform: ApiPlatform, path: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page stays a page when looking for the session fails, as with a database that is gone."""
    link = await platform.services.accounts.create_login_link(platform.accounts["owner"])
    async with platform.client(None, headers={"Sec-Fetch-Site": "same-origin"}) as browser:
        await browser.post(f"/signin/link/{link}", data={"skip": "1"})
        monkeypatch.setattr(Accounts, "of_session", _breaks)
        answer = await browser.get(path)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (500, kind)
    assert answer.headers["x-request-id"] in answer.text
    assert "s3cret" not in answer.text


async def test_another_sites_form_gets_a_page(platform: ApiPlatform) -> None:
    """Who was sent here by another site's page reads why nothing was done."""
    link = await platform.services.accounts.create_login_link(platform.accounts["owner"])
    async with platform.client(None, headers={"Sec-Fetch-Site": "same-origin"}) as browser:
        await browser.post(f"/signin/link/{link}", data={"skip": "1"})
        answer = await browser.post("/create", data={}, headers={"Sec-Fetch-Site": "cross-site"})
        api = await browser.post("/v1/models", json={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "did not come from a page of this platform" in answer.text
    assert (api.status_code, api.headers["content-type"]) == (403, "application/problem+json")


async def test_what_breaks_outside_every_part_is_said_by_the_part_that_was_meant(
    platform: ApiPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The door itself failing, as the audit log's notes could: problem documents for the API, pages for browsers."""
    monkeypatch.setattr("cogyard.web.auditing.done", _raises)
    async with platform.client() as client, platform.client(None) as browser:
        made = await client.post("/v1/tokens", json={"name": "x"})
        page = await browser.post("/signin", data={}, headers={"Sec-Fetch-Site": "same-origin"})
    assert (made.status_code, made.headers["content-type"]) == (500, "application/problem+json")
    assert (page.status_code, page.headers["content-type"]) == (500, "text/html; charset=utf-8")


def _raises(*_: object) -> None:
    raise RuntimeError("s3cret")
