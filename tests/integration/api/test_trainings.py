"""Trainings over HTTP, with instances that play a script."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cogyard.domain.deployables import of_training
from cogyard.domain.values import Version
from cogyard.testing.api import BASE, TRAINABLE_SCHEMA, ApiPlatform, add_version

pytestmark = pytest.mark.anyio


@pytest.fixture
async def trainable(platform: ApiPlatform) -> Version:
    """Add a version that can be trained, and a destination of the owner's."""
    await platform.services.models.create(platform.accounts["owner"], "owner", "tuned", visibility="private")
    return await add_version(platform.services, platform.model, "d" * 64, TRAINABLE_SCHEMA)


def _path(version: str = "d" * 64) -> str:
    return f"/v1/models/owner/echo/versions/{version}/trainings"


def _body(**changes: Any) -> dict[str, Any]:
    return {"destination": "owner/tuned", "input": {"steps": 2}, **changes}


async def test_a_training_is_asked_for_shown_listed_and_canceled(
    platform: ApiPlatform, trainable: Version
) -> None:
    """Its id is good below /predictions too (wire gotcha 15); lists keep the two kinds apart."""
    async with platform.client() as client:
        made = await client.post(_path(), json=_body(webhook="https://a.test/hook"))
        assert made.status_code == 201
        shown = made.json()
        key = shown["id"]
        assert made.headers["location"] == shown["urls"]["get"] == f"{BASE}/v1/predictions/{key}"
        assert shown["urls"]["cancel"] == f"{BASE}/v1/predictions/{key}/cancel"
        assert (await client.get(f"/v1/trainings/{key}")).json()["urls"][
            "get"
        ] == f"{BASE}/v1/trainings/{key}"
        assert (shown["model"], shown["version"]) == ("owner/echo", trainable.id)
        assert (shown["status"], shown["input"], shown["logs"], shown["error"]) == (
            "starting",
            {"steps": 2},
            "",
            None,
        )
        assert shown["webhook"] == "https://a.test/hook"
        for room in ("trainings", "predictions"):
            assert (await client.get(f"/v1/{room}/{key}")).json()["id"] == key
        plain = (
            await client.post("/v1/predictions", json={"version": trainable.id, "input": {"text": "x"}})
        ).json()
        assert (await client.get(f"/v1/trainings/{plain['id']}")).status_code == 404
        assert (await client.post(f"/v1/trainings/{plain['id']}/cancel")).status_code == 404
        for room, wanted in (("trainings", key), ("predictions", plain["id"])):
            listed = (await client.get(f"/v1/{room}")).json()["results"]
            assert [each["id"] for each in listed] == [wanted]
        canceled = await client.post(f"/v1/trainings/{key}/cancel")
        assert canceled.json()["status"] == "canceled"
        assert await platform.services.predictions.queue.waiting() == {trainable.id: 1}


async def test_a_training_is_told_of_as_a_prediction_is(platform: ApiPlatform, trainable: Version) -> None:
    """Whoever names the older `webhook_completed` alone hears of the end alone."""
    async with platform.client() as client:
        asked = _body(webhook_completed="https://a.test/hook")
        made = (await client.post(_path(), json=asked)).json()
        both = (await client.post(_path(), json=asked | {"webhook": "https://b.test/hook"})).json()
    assert made["webhook"] == "https://a.test/hook"
    assert both["webhook"] == "https://b.test/hook"
    owner = platform.accounts["owner"]
    kept = [await platform.services.trainings.get(owner, each["id"]) for each in (made, both)]
    assert kept[0].webhook_events == ("completed",)
    assert len(kept[1].webhook_events) > 1


async def test_a_training_has_a_deadline_and_a_priority(platform: ApiPlatform, trainable: Version) -> None:
    """By the headers of a prediction; what cannot be read is refused."""
    async with platform.client() as client:
        first = (await client.post(_path(), json=_body())).json()
        urgent = {"Cogyard-Priority": "high", "Cancel-After": "5m"}
        made = (await client.post(_path(), json=_body(), headers=urgent)).json()
        for wrong in ({"Cogyard-Priority": "soon"}, {"Cancel-After": "soon"}):
            assert (await client.post(_path(), json=_body(), headers=wrong)).status_code in {400, 422}
    claim = await platform.instance(of_training(trainable.id)).claim()
    assert claim.prediction.id == made["id"] != first["id"]
    assert claim.prediction.deadline == claim.prediction.created_at + timedelta(minutes=5)


async def test_trainings_wait_for_instances_of_their_own(platform: ApiPlatform, trainable: Version) -> None:
    """No prediction waits for a training to end."""
    async with platform.client() as client:
        await client.post(_path(), json=_body())
    assert await platform.services.predictions.queue.waiting() == {of_training(trainable.id): 1}


@pytest.mark.parametrize("destination", ["owner/none", "nonsense", "other/theirs", "", "owner/echo:x"])
async def test_a_destination_must_be_ones_own(
    platform: ApiPlatform, trainable: Version, destination: str
) -> None:
    """404 in the hosted service's words, whether it is not there or not the caller's."""
    other = platform.accounts["other"]
    await platform.services.models.create(other, "other", "theirs", visibility="public")
    async with platform.client() as client:
        answer = await client.post(_path(), json=_body(destination=destination))
    assert answer.status_code == 404
    assert answer.json()["detail"] == "The specified training destination does not exist"
    assert trainable.id == "d" * 64


async def test_what_cannot_be_trained_says_so(platform: ApiPlatform, trainable: Version) -> None:
    """A version without train(), inputs that do not fit, and a version that is not there."""
    async with platform.client() as client:
        refused = await client.post(_path(platform.version.id), json=_body())
        assert refused.status_code == 422
        assert "train" in refused.json()["detail"]
        refused = await client.post(_path(trainable.id), json=_body(input={"steps": 0}))
        assert refused.status_code == 422
        assert refused.json()["invalid_fields"][0]["field"] == "input.steps"
        assert (await client.post(_path("b" * 64), json=_body())).status_code == 404
        assert (await client.post(_path(), json={"input": {}})).status_code == 422
