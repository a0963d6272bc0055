"""The log of webhooks over HTTP, and telling once more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cogyard.domain.values import Prediction
from cogyard.features.webhooks.ports import Delivery
from cogyard.store.outbox import SqlOutbox
from cogyard.testing.api import ApiPlatform

pytestmark = pytest.mark.anyio


async def _asked(platform: ApiPlatform, **more: Any) -> Prediction:
    return await platform.services.predictions.create(
        platform.accounts["owner"], version=platform.version, input={"text": "x"}, **more
    )


async def test_tries_are_listed_for_their_account_alone(platform: ApiPlatform) -> None:
    """In pages, newest first; of one prediction when it is named."""
    made = await _asked(platform, webhook="https://a.test/hook")
    for attempt in range(1, 103):
        await platform.services.calls.log.note(
            Delivery(
                account_id=made.account_id,
                prediction_id=made.id,
                message_id="msg_1-completed",
                event="completed",
                attempt=attempt,
                at=datetime.now(UTC),
                milliseconds=5,
                status=None if attempt == 102 else 503,
                problem="a.test is not known" if attempt == 102 else None,
            )
        )
    async with platform.client() as client, platform.client("other") as other:
        page = (await client.get("/v1/webhooks/deliveries", params={"prediction": made.id})).json()
        newest = page["results"][0]
        assert (newest["id"], newest["prediction"], newest["attempt"]) == ("msg_1-completed", made.id, 102)
        assert (newest["status"], newest["error"]) == (None, "a.test is not known")
        rest = (await client.get(page["next"])).json()["results"]
        assert [each["attempt"] for each in rest] == [2, 1]
        assert (await other.get("/v1/webhooks/deliveries")).json()["results"] == []
        answer = await other.get("/v1/webhooks/deliveries", params={"prediction": made.id})
        assert answer.json()["results"] == []


async def test_what_is_still_to_be_told_is_listed_for_its_account_alone(platform: ApiPlatform) -> None:
    """The soonest due first, with tries so far; of one prediction when it is named."""
    first, second = [await _asked(platform, webhook="https://a.test/hook") for _ in range(2)]
    outbox, now = SqlOutbox(platform.database), datetime.now(UTC)
    for each in (first, second):
        await platform.services.calls.replay(platform.accounts["owner"], each.id, "start")
    tried = (await outbox.due(now + timedelta(hours=1), 1))[0]
    await outbox.later(tried, 1, now + timedelta(hours=2))
    path = "/v1/webhooks/deliveries/pending"
    async with platform.client() as client, platform.client("other") as other:
        listed = (await client.get(path)).json()["results"]
        assert [(one["prediction"], one["attempts"], one["event"]) for one in listed] == [
            (second.id, 0, "start"),
            (first.id, 1, "start"),
        ]
        assert listed[0]["endpoint"] is None
        assert listed[0]["due_at"] < listed[1]["due_at"]
        (one,) = (await client.get(path, params={"prediction": first.id})).json()["results"]
        assert one == listed[1]
        assert (await other.get(path)).json()["results"] == []
        assert (await other.get(path, params={"prediction": first.id})).json()["results"] == []


async def test_an_event_is_told_once_more(platform: ApiPlatform) -> None:
    """What has not happened, waits already, or has nobody to hear it is refused with the reason."""
    made, silent = await _asked(platform, webhook="https://a.test/hook"), await _asked(platform)
    outbox = SqlOutbox(platform.database)
    path = f"/v1/predictions/{made.id}/webhooks/replay"
    async with platform.client() as client, platform.client("other") as other:
        assert (await client.post(path, json={})).status_code == 409
        assert (await client.post(f"/v1/predictions/{silent.id}/webhooks/replay", json={})).status_code == 409
        assert (await client.post(path, json={"event": "never"})).status_code == 422
        assert (await other.post(path, json={})).status_code == 404
        await platform.instance().run("x")
        assert (await client.post(path, json={})).status_code == 409
        for letter in await outbox.due(datetime.now(UTC), 9):
            await outbox.told(letter)
        answer = await client.post(path, json={})
        assert (answer.status_code, answer.json()["event"]) == (202, "completed")
        (letter,) = await outbox.due(datetime.now(UTC), 9)
        assert (letter.message_id, letter.prediction_id) == (answer.json()["id"], made.id)
