"""A clock that is set forward or back while predictions wait and run: none is lost, none ends twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cogyard.domain.retention import Keep
from cogyard.features.retention.sweep import Sweep
from cogyard.features.steady import HOLD, Steady
from cogyard.features.world import World
from cogyard.instances.work import Outcome
from cogyard.store.retention import SqlRetention
from cogyard.testing.api import ApiPlatform

pytestmark = pytest.mark.anyio


@dataclass
class _Clock:
    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@pytest.mark.parametrize("jump", [timedelta(hours=6), timedelta(hours=-6), timedelta(days=400)])
async def test_a_run_survives_a_clock_that_is_set(tmp_path: Path, jump: timedelta) -> None:
    """What runs keeps its lease and ends once; what waits is claimed; times of a prediction never run backwards."""
    clock = _Clock()
    async with ApiPlatform.open(tmp_path, world=World(now=clock.now)) as platform:
        transport = httpx2.ASGITransport(app=platform.app)
        headers = {"Authorization": f"Bearer {platform.tokens['owner']}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://c.test", headers=headers) as http:
            made = []
            for text in ("runs", "waits"):
                body = {"version": platform.version.id, "input": {"text": text}}
                answer = await http.post("/v1/predictions", json=body)
                assert answer.status_code in {201, 202}, answer.text
                made.append(answer.json()["id"])
            queue = platform.services.predictions.queue
            claim = await queue.claim(platform.version.id, instance="i")
            assert claim is not None
            assert await queue.started(claim.prediction.id, claim.lease_token)
            await queue.sweep()
            clock.offset = jump
            await queue.sweep()
            await queue.sweep()
            again = await queue.claim(platform.version.id, instance="j")
            assert again is not None
            assert again.prediction.id == made[1], "the one that runs was not given away"
            for held in (claim, again):
                assert await queue.started(held.prediction.id, held.lease_token)
                outcome = Outcome(status="succeeded", output="x")
                assert await queue.finished(held.prediction.id, held.lease_token, outcome)
                assert not await queue.finished(held.prediction.id, held.lease_token, outcome), "only once"
            for name in made:
                found = (await http.get(f"/v1/predictions/{name}")).json()
                assert found["status"] == "succeeded"
                assert found["metrics"].get("predict_time", 0) >= 0
                assert found["metrics"].get("total_time", 0) >= 0
            listed = (await http.get("/v1/predictions")).json()["results"]
            assert [one["id"] for one in listed] == made[::-1]


async def test_a_clock_that_was_wrong_for_a_minute_removes_nothing(tmp_path: Path) -> None:
    """Data that is kept for an hour is there when the clock is right again, and goes when its time is over."""
    clock, seconds = _Clock(), [0.0]
    world = World(now=clock.now, elapsed=lambda: seconds[0])
    async with ApiPlatform.open(tmp_path, world=world) as platform, platform.client() as client:
        body = {"version": platform.version.id, "input": {"text": "x"}}
        made = (await client.post("/v1/predictions", json=body)).json()
        await platform.instance().run("done")
        sweep = Sweep(store=SqlRetention(platform.database), platform=Keep(3600), world=world)
        removing = Steady(world).behind(sweep.sweep)
        for offset, removed in ((0, False), (400 * 86_400, False), (0, False), (2 * 3600, False)):
            clock.offset = timedelta(seconds=offset)
            seconds[0] += 60
            await removing()
            found = (await client.get(f"/v1/predictions/{made['id']}")).json()
            assert found["data_removed"] is removed, offset
        seconds[0] += HOLD
        await removing()
        assert (await client.get(f"/v1/predictions/{made['id']}")).json()["data_removed"] is True
