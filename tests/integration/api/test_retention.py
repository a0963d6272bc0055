"""How long predictions hold their data, set over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.deployments import Configuration
from cogyard.features.retention.sweep import Sweep
from cogyard.features.world import World
from cogyard.store.retention import SqlRetention
from cogyard.testing.api import ApiPlatform

from tests.integration.api import documented

pytestmark = pytest.mark.anyio
PLACES = {
    "account": "/v1/account/retention",
    "models": "/v1/models/owner/echo/retention",
    "deployments": "/v1/deployments/owner/front/retention",
}


async def _deploy(platform: ApiPlatform) -> None:
    configuration = Configuration(
        version=platform.version.id, hardware="cpu", min_instances=0, max_instances=1
    )
    await platform.services.deployments.create(
        platform.accounts["owner"], "front", "owner/echo", configuration
    )


@pytest.mark.parametrize("room", PLACES)
async def test_a_setting_is_made_seen_and_taken_back(platform: ApiPlatform, room: str) -> None:
    """As seconds, for ever, or none."""
    await _deploy(platform)
    async with platform.client() as client:
        for keep in (3600, "forever", None):
            answer = await client.patch(PLACES[room], json={"keep_predictions": keep})
            documented.check(f"{room}.retention.update", answer)
            assert answer.json() == {"keep_predictions": keep, "platform": "forever"}
            assert (await client.get(PLACES[room])).json() == answer.json()


@pytest.mark.parametrize("keep", [3599, 0, -1, 10**12, "never", "1h", "", 1.5, True, []])
async def test_what_is_no_time_is_refused(platform: ApiPlatform, keep: Any) -> None:
    """With the field's name, and nothing is set."""
    async with platform.client() as client:
        answer = await client.patch(PLACES["account"], json={"keep_predictions": keep})
        assert answer.status_code == 422, answer.text
        assert "keep_predictions" in answer.text
        assert (await client.patch(PLACES["account"], json={})).status_code == 422
        assert (await client.get(PLACES["account"])).json()["keep_predictions"] is None


async def test_only_the_owner_of_a_public_model_sets_it(platform: ApiPlatform) -> None:
    """Others may run it, and are told so."""
    async with platform.client("other") as other:
        assert (await other.get(PLACES["models"])).status_code == 403
        refused = await other.patch(PLACES["models"], json={"keep_predictions": 3600})
        assert refused.status_code == 403


async def test_what_was_set_is_done(tmp_path: Path) -> None:
    """A model's hour goes before the account's for ever; the answer says `data_removed`."""
    moment = [datetime(2026, 11, 22, tzinfo=UTC)]
    world = World(now=lambda: moment[0])
    async with ApiPlatform.open(tmp_path, world=world) as platform, platform.client() as client:
        await client.patch(PLACES["account"], json={"keep_predictions": "forever"})
        made = await platform.services.predictions.create(
            platform.accounts["owner"], version=platform.version, input={"text": "x"}
        )
        await platform.instance().run("x")
        sweep = Sweep(store=SqlRetention(platform.database), world=world)
        moment[0] += timedelta(hours=2)
        assert await sweep.sweep() == 0
        await client.patch(PLACES["models"], json={"keep_predictions": 3600})
        assert await sweep.sweep() == 1
        shown = (await client.get(f"/v1/predictions/{made.id}")).json()
        assert (shown["data_removed"], shown["output"], shown["status"]) == (True, None, "succeeded")
