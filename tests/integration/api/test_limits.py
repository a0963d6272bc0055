"""Limits on how often an account may ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.domain.deployments import Configuration
from cogyard.domain.roles import Role
from cogyard.http.rates import Rates
from cogyard.testing.api import SECRET, ApiPlatform
from cogyard.web.settings import WebSettings

from tests.integration.api import documented

pytestmark = pytest.mark.anyio


async def test_a_restart_makes_no_room(tmp_path: Path) -> None:
    """What an account made in the minute before it counts, and goes by as ever."""
    now = [0.0]
    rates = Rates(creates=2, elapsed=lambda: now[0])
    settings = WebSettings(session_secret=SECRET, rates=rates)
    async with ApiPlatform.open(tmp_path, settings=settings) as platform, platform.client() as client:
        rates.remember({platform.accounts["owner"].id: 5, platform.accounts["other"].id: 1})
        body = {"version": platform.version.id, "input": {"text": "x"}}
        refused = await client.post("/v1/predictions", json=body)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        async with platform.client("other") as other:
            made = await other.post("/v1/predictions", json=body)
            assert (made.status_code, made.headers["ratelimit-remaining"]) == (201, "0")
        now[0] += 30
        assert (await client.post("/v1/predictions", json=body)).status_code == 201


async def test_too_many_in_a_minute_are_told_when_to_come_back(tmp_path: Path) -> None:
    """Creates and the rest are counted apart, each account by itself; the answer says how much is left (gotcha 19)."""
    now = [0.0]
    rates = Rates(creates=2, others=3, elapsed=lambda: now[0])
    settings = WebSettings(session_secret=SECRET, rates=rates)
    async with (
        ApiPlatform.open(tmp_path, settings=settings) as platform,
        platform.client() as client,
        platform.client("other") as other,
    ):
        body = {"version": platform.version.id, "input": {"text": "x"}}
        first = await client.post("/v1/predictions", json=body)
        assert {name: value for name, value in first.headers.items() if name.startswith("ratelimit")} == {
            "ratelimit-limit": "2",
            "ratelimit-remaining": "1",
            "ratelimit-reset": "30",
        }
        assert (await client.post("/v1/predictions", json=body)).status_code == 201
        refused = await client.post("/v1/predictions", json=body)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        assert (refused.headers["ratelimit-limit"], refused.headers["ratelimit-remaining"]) == ("2", "0")
        documented.check("predictions.create", refused)
        assert (await other.post("/v1/predictions", json=body)).status_code == 201
        for left in ("2", "1", "0"):
            assert (await client.get("/v1/account")).headers["ratelimit-remaining"] == left
        assert (await client.get("/v1/account")).status_code == 429
        now[0] += 30
        assert (await client.post("/v1/predictions", json=body)).status_code == 201


async def test_whoever_acts_for_many_organizations_is_one_person(tmp_path: Path) -> None:
    """What is asked for an organization counts for it and for who asks; another member has their own limit."""
    settings = WebSettings(session_secret=SECRET, rates=Rates(others=2, elapsed=lambda: 0.0))
    async with ApiPlatform.open(tmp_path, settings=settings) as platform:
        organizations = platform.services.organizations
        for name in ("one", "two", "three"):
            person = await platform.services.accounts.get("owner")
            assert person is not None
            await organizations.create(person, name)
        async with platform.client() as client:
            found = [
                (await client.get("/v1/account", headers={"Cogyard-Account": name})).status_code
                for name in ("one", "two", "three")
            ]
        assert found == [200, 200, 429]
        other = platform.accounts["other"]
        await organizations.put_member(platform.accounts["root"], "one", "other", Role.READER)
        await organizations.join(other, "one")
        async with platform.client("other", headers={"Cogyard-Account": "one"}) as client:
            assert [(await client.get("/v1/account")).status_code for _ in range(2)] == [200, 429]


async def test_without_a_limit_nothing_is_said(platform: ApiPlatform) -> None:
    """One's own machine has none unless its operator says so."""
    async with platform.client() as client:
        answer = await client.get("/v1/account")
    assert not [name for name in answer.headers if name.startswith("ratelimit")]


async def test_a_models_limit_holds_for_everybody_however_they_ask(platform: ApiPlatform) -> None:
    """By version, by name and through a deployment; the same create said again is let through."""
    path = "/v1/models/owner/echo/limits"
    async with platform.client() as client, platform.client("other") as other:
        assert (await other.patch(path, json={"at_once": 1})).status_code == 403
        answer = await client.patch(path, json={"at_once": 1, "predictions": 100, "window": 3600})
        documented.check("models.limits.update", answer)
        assert answer.json() == {"at_once": 1, "predictions": 100, "window": 3600}
        assert (await client.patch(path, json={"window": None})).json()["window"] == 60
        assert (await client.get(path)).json()["predictions"] == 100

        configuration = Configuration(
            version=platform.version.id, hardware="cpu", min_instances=0, max_instances=1
        )
        await platform.services.deployments.create(
            platform.accounts["owner"], "front", "owner/echo", configuration
        )
        body = {"input": {"text": "x"}}
        key = {"Idempotency-Key": "k"}
        made = await other.post("/v1/models/owner/echo/predictions", json=body, headers=key)
        assert made.status_code == 201
        again = await other.post("/v1/models/owner/echo/predictions", json=body, headers=key)
        assert again.json()["id"] == made.json()["id"]
        for who, where, asked in (
            (other, "/v1/models/owner/echo/predictions", body),
            (client, "/v1/predictions", body | {"version": platform.version.id}),
            (client, "/v1/deployments/owner/front/predictions", body),
        ):
            refused = await who.post(where, json=asked)
            assert (refused.status_code, refused.headers["ratelimit-limit"]) == (429, "1")
            assert "owner/echo" in refused.json()["detail"]
        await other.post(f"/v1/predictions/{made.json()['id']}/cancel")
        assert (await client.post("/v1/deployments/owner/front/predictions", json=body)).status_code == 201
