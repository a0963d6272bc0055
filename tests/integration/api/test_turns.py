"""Who goes first where several accounts wait for the same instances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.testing.api import ApiPlatform

from tests.integration.api import documented

pytestmark = pytest.mark.anyio


async def _ask(client: httpx2.AsyncClient, platform: ApiPlatform, **headers: str) -> str:
    body = {"version": platform.version.id, "input": {"text": "x"}}
    made = await client.post("/v1/predictions", json=body, headers=headers)
    assert made.status_code == 201, made.text
    found: str = made.json()["id"]
    return found


async def _position(client: httpx2.AsyncClient, prediction_id: str) -> int:
    told: dict[str, Any] = (await client.get(f"/v1/predictions/{prediction_id}")).json()
    position: int = told["queue"]["position"]
    return position


async def test_nobody_waits_for_all_that_another_asked_for(tmp_path: Path) -> None:
    """But for one of it; and what an account calls urgent goes before its own alone."""
    async with (
        ApiPlatform.open(tmp_path) as platform,
        platform.client() as client,
        platform.client("other") as other,
    ):
        mine = [await _ask(client, platform) for _ in range(5)]
        theirs = [await _ask(other, platform) for _ in range(2)]
        assert [await _position(client, each) for each in mine] == [1, 3, 5, 6, 7]
        assert [await _position(other, each) for each in theirs] == [2, 4]
        urgent = await _ask(client, platform, **{"Cogyard-Priority": "high"})
        assert [await _position(client, each) for each in (urgent, *mine)] == [1, 3, 5, 6, 7, 8]
        assert [await _position(other, each) for each in theirs] == [2, 4]


async def test_another_word_is_refused(tmp_path: Path) -> None:
    """With the words that there are."""
    async with ApiPlatform.open(tmp_path) as platform, platform.client() as client:
        refused = await client.post(
            "/v1/predictions",
            json={"version": platform.version.id, "input": {"text": "x"}},
            headers={"Cogyard-Priority": "urgent"},
        )
        assert refused.status_code == 400
        assert "high, normal, low" in refused.json()["detail"]
        documented.check("predictions.create", refused)


async def test_a_full_queue_is_full_for_who_filled_it(tmp_path: Path) -> None:
    """Another account may still ask."""
    async with (
        ApiPlatform.open(tmp_path) as platform,
        platform.client() as client,
        platform.client("other") as other,
    ):
        predictions = platform.services.predictions
        for _ in range(2):
            await _ask(client, platform)
        predictions._counted.at = None
        object.__setattr__(predictions, "queue_limit", 2)
        body = {"version": platform.version.id, "input": {"text": "x"}}
        refused = await client.post("/v1/predictions", json=body)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        await _ask(other, platform)
