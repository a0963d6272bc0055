"""What is created once, deleted, and removed after a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.retention import Keep
from cogyard.domain.values import Prediction
from cogyard.domain.waiting import Cause, Reason
from cogyard.features.retention.sweep import Sweep
from cogyard.features.world import World
from cogyard.store.retention import SqlRetention
from cogyard.testing.api import TRAINABLE_SCHEMA, ApiPlatform, add_version

pytestmark = pytest.mark.anyio


def _body(platform: ApiPlatform, text: str = "x") -> dict[str, Any]:
    return {"version": platform.version.id, "input": {"text": text}}


async def _content() -> AsyncIterator[bytes]:
    yield b"made"


async def _done_with_file(platform: ApiPlatform) -> tuple[Prediction, str]:
    """Run a prediction that makes a file; return it and the file's address."""
    owner = platform.accounts["owner"]
    made = await platform.services.predictions.create(
        owner, version=platform.version, input={"text": "private"}
    )
    file = await platform.services.files.create(
        owner, "out.txt", "text/plain", _content(), prediction_id=made.id
    )
    await platform.instance().run(f"cogyard-file:{file.token}/{file.name}", logs="said")
    return made, f"/delivery/{file.token}/{file.name}"


async def test_the_same_key_again_is_the_same_prediction(platform: ApiPlatform) -> None:
    """Also when both come at once; another request with the key is refused, another account's is its own."""
    headers = {"Idempotency-Key": "order-17"}
    async with platform.client() as client, platform.client("other") as other:
        answers = await asyncio.gather(
            *(client.post("/v1/predictions", json=_body(platform), headers=headers) for _ in range(5))
        )
        assert {answer.status_code for answer in answers} == {201}
        keys = {answer.json()["id"] for answer in answers}
        assert len(keys) == 1
        assert await platform.services.predictions.queue.waiting() == {platform.version.id: 1}
        refused = await client.post("/v1/predictions", json=_body(platform, "y"), headers=headers)
        assert refused.status_code == 409
        assert "order-17" in refused.json()["detail"]
        theirs = await other.post("/v1/predictions", json=_body(platform), headers=headers)
        assert theirs.json()["id"] not in keys
        await platform.instance().run("done")
        again = await client.post(
            "/v1/predictions", json=_body(platform), headers={**headers, "Prefer": "wait"}
        )
        assert (again.json()["id"], again.json()["output"]) == (keys.pop(), "done")


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_key_is_a_short_text(platform: ApiPlatform, key: str) -> None:
    """400 for what is none."""
    async with platform.client() as client:
        answer = await client.post("/v1/predictions", json=_body(platform), headers={"Idempotency-Key": key})
    assert answer.status_code == 400


async def test_a_training_is_made_once_too(platform: ApiPlatform) -> None:
    """And its key does not stand for a prediction."""
    await add_version(platform.services, platform.model, "d" * 64, TRAINABLE_SCHEMA)
    path = f"/v1/models/owner/echo/versions/{'d' * 64}/trainings"
    body = {"destination": "owner/echo", "input": {"steps": 1}}
    async with platform.client() as client:
        first, second = [
            (await client.post(path, json=body, headers={"Idempotency-Key": "k"})).json() for _ in range(2)
        ]
        assert first == second
        refused = await client.post("/v1/predictions", json=_body(platform), headers={"Idempotency-Key": "k"})
        assert refused.status_code == 409


async def test_a_deleted_prediction_is_gone_with_its_files(platform: ApiPlatform) -> None:
    """204 once it has ended, 409 before; a file of it is gone at once, and as an example it is none."""
    made, file = await _done_with_file(platform)
    path = f"/v1/predictions/{made.id}"
    async with platform.client() as client, platform.client("other") as other:
        await client.post("/v1/models/owner/echo/examples", json={"prediction": made.id})
        assert (await client.get(file)).content == b"made"
        assert (await other.delete(path)).status_code == 404
        deleted = await client.delete(path)
        assert (deleted.status_code, deleted.content) == (204, b"")
        for gone in (path, file):
            assert (await client.get(gone)).status_code == 404
        assert (await client.delete(path)).status_code == 404
        assert (await client.get("/v1/models/owner/echo")).json()["default_example"] is None
        waiting = (await client.post("/v1/predictions", json=_body(platform))).json()
        refused = await client.delete(f"/v1/predictions/{waiting['id']}")
        assert refused.status_code == 409
        assert "cancel" in refused.json()["detail"]
        await client.post(f"/v1/predictions/{waiting['id']}/cancel")
        assert (await client.delete(f"/v1/predictions/{waiting['id']}")).status_code == 204


async def test_data_is_removed_after_a_while_but_not_of_examples(tmp_path: Path) -> None:
    """What is left says so: `data_removed`, no input, no output, no logs, no file; status and metrics stay."""
    moment = [datetime(2026, 11, 22, tzinfo=UTC)]
    world = World(now=lambda: moment[0])
    async with ApiPlatform.open(tmp_path, world=world) as platform, platform.client() as client:
        made, file = await _done_with_file(platform)
        example, kept = await _done_with_file(platform)
        await client.post("/v1/models/owner/echo/examples", json={"prediction": example.id})
        retention = Sweep(store=SqlRetention(platform.database), platform=Keep(3600), world=world)
        moment[0] += timedelta(minutes=59)
        assert await retention.sweep() == 0
        moment[0] += timedelta(minutes=2)
        assert await retention.sweep() == 1
        shown = (await client.get(f"/v1/predictions/{made.id}")).json()
        assert (shown["data_removed"], shown["input"], shown["output"], shown["logs"]) == (True, {}, None, "")
        assert shown["status"] == "succeeded"
        assert "total_time" in shown["metrics"]
        assert (await client.get(file)).status_code == 404
        assert (await client.get(kept)).content == b"made"
        assert "private" in (await client.get(f"/v1/predictions/{example.id}")).text
        late, _ = await _done_with_file(platform)
        moment[0] += timedelta(hours=2)
        assert await retention.sweep() == 1
        assert (await client.get(f"/v1/predictions/{late.id}")).json()["data_removed"] is True


async def test_a_waiting_prediction_says_where_it_is_and_why(platform: ApiPlatform) -> None:
    """Its place counts who is before it, the reason is the fleet's; once it is taken there is neither."""
    async with platform.client() as client:
        first, second = [
            (await client.post("/v1/predictions", json=_body(platform))).json()["id"] for _ in range(2)
        ]
        shown = (await client.get(f"/v1/predictions/{second}")).json()
        assert shown["queue"] == {"position": 2}
        reason = Reason(cause=Cause.STARTING, detail="An instance gets ready.")
        object.__setattr__(platform.services.predictions, "why", lambda _deployable: reason)
        shown = (await client.get(f"/v1/predictions/{second}")).json()
        assert shown["queue"] == {
            "position": 2,
            "reason": "starting",
            "detail": "An instance gets ready.",
        }
        await platform.instance().claim()
        assert "queue" not in (await client.get(f"/v1/predictions/{first}")).json()
        assert (await client.get(f"/v1/predictions/{second}")).json()["queue"]["position"] == 1
