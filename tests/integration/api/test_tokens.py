"""Tokens over HTTP: made, listed, used as far as they reach, ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cogyard.features.world import World
from cogyard.testing.api import ApiPlatform

pytestmark = pytest.mark.anyio


async def test_a_token_is_made_used_listed_and_ended(platform: ApiPlatform) -> None:
    """Its secret is said once; it is nobody's as soon as it is ended."""
    async with platform.client() as client:
        made = (await client.post("/v1/tokens", json={"name": "ci", "scope": "run"})).json()
        secret = made.pop("token")
        assert secret.endswith(made["tail"])
        listed = await client.get("/v1/tokens")
        assert listed.json()["results"][0] == made
        assert secret not in listed.text
        headers = {"Authorization": f"Bearer {secret}"}
        body = {"version": platform.version.id, "input": {"text": "x"}}
        async with platform.client(None, headers=headers) as scoped:
            assert (await scoped.post("/v1/predictions", json=body)).status_code == 201
            refused = await scoped.post("/v1/tokens", json={"name": "more"})
            assert refused.status_code == 403
            assert "'run'" in refused.json()["detail"]
            assert (await scoped.get("/v1/webhooks/default/secret")).status_code == 403
            assert (await client.delete(f"/v1/tokens/{made['id']}")).status_code == 204
            assert (await scoped.get("/v1/account")).status_code == 401
        assert (await client.delete(f"/v1/tokens/{made['id']}")).status_code == 404
        assert (await client.delete("/v1/tokens/nonsense")).status_code == 404


async def test_a_token_expires(tmp_path: Path) -> None:
    """After the seconds that were asked for."""
    moment = [datetime(2026, 11, 22, tzinfo=UTC)]
    async with ApiPlatform.open(tmp_path, world=World(now=lambda: moment[0])) as platform:
        async with platform.client() as client:
            made = (await client.post("/v1/tokens", json={"name": "short", "expires_in": 60})).json()
        assert made["expires_at"] == "2026-11-22T00:01:00.000000Z"
        headers = {"Authorization": f"Bearer {made['token']}"}
        async with platform.client(None, headers=headers) as short:
            assert (await short.get("/v1/account")).status_code == 200
            moment[0] += timedelta(seconds=61)
            assert (await short.get("/v1/account")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x" * 101}, {"name": "x", "scope": "all"}, {"name": "x", "expires_in": 59}],
)
async def test_a_bad_token_is_refused(platform: ApiPlatform, body: dict[str, Any]) -> None:
    """422 with what is wrong."""
    async with platform.client() as client:
        assert (await client.post("/v1/tokens", json=body)).status_code == 422
