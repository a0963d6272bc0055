"""Webhook endpoints over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from cogyard.features.webhooks.endpoints import MOST_ENDPOINTS
from cogyard.store.outbox import SqlOutbox
from cogyard.testing.api import ApiPlatform

from tests.integration.api import documented

pytestmark = pytest.mark.anyio
PATH = "/v1/webhooks/endpoints"
URL = "https://a.test/hook"


async def _made(client: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    documented.check("webhooks.endpoints.create", answer)
    made: dict[str, Any] = answer.json()
    return made


async def test_an_endpoint_is_made_seen_changed_and_deleted(platform: ApiPlatform) -> None:
    """Its secret is in the first answer alone; another account hears of nothing."""
    async with platform.client() as client, platform.client("other") as other:
        made = await _made(client)
        assert made.pop("key").startswith("whsec_")
        assert made["events"] == ["output", "completed"]
        assert (made["enabled"], made["model"], made["disabled_reason"]) == (True, None, None)
        one = f"{PATH}/{made['id']}"
        assert (await client.get(one)).json() == made
        assert (await client.get(PATH)).json()["results"] == [made]
        assert (await other.get(PATH)).json()["results"] == []

        changes = {"events": ["completed", "start"], "model": "owner/echo", "enabled": False}
        changed = await client.patch(one, json=changes)
        documented.check("webhooks.endpoints.update", changed)
        assert changed.json() == made | changes | {"events": ["start", "completed"]}
        assert (await client.patch(one, json={"model": None})).json()["model"] is None

        assert (await client.delete(one)).status_code == 204
        assert (await client.get(one)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "gopher://a.test"}, "url"),
        ({"url": "https://a.test/" + "x" * 2000}, "url"),
        ({"url": ""}, "url"),
        ({"events": ["never"]}, "events"),
        ({"model": "echo"}, "model"),
    ],
)
async def test_what_cannot_be_told_is_refused(
    platform: ApiPlatform, changes: dict[str, Any], field: str
) -> None:
    """When it is made and when it is changed, with the field's name."""
    async with platform.client() as client:
        made = await _made(client)
        for answer in (
            await client.post(PATH, json={"url": URL, **changes}),
            await client.patch(f"{PATH}/{made['id']}", json=changes),
        ):
            assert answer.status_code == 422
            assert [each["field"] for each in answer.json()["invalid_fields"]] == [field]


async def test_an_account_has_so_many(platform: ApiPlatform) -> None:
    """One more is refused with the limit."""
    async with platform.client() as client:
        for _ in range(MOST_ENDPOINTS):
            await _made(client)
        answer = await client.post(PATH, json={"url": URL})
        assert answer.status_code == 409
        assert str(MOST_ENDPOINTS) in answer.json()["detail"]


async def test_an_event_is_told_once_more_to_an_endpoint(platform: ApiPlatform) -> None:
    """With the id that it had; never to another account's, nor to one that is disabled."""
    outbox = SqlOutbox(platform.database)
    async with platform.client() as client, platform.client("other") as other:
        made, foreign = await _made(client, events=["completed"]), await _made(other)
        prediction = await platform.services.predictions.create(
            platform.accounts["owner"], version=platform.version, input={"text": "x"}
        )
        await platform.instance().run("x")
        (first,) = await outbox.due(datetime.now(UTC), 9)
        assert (first.endpoint, first.event) == (made["id"], "completed")
        await outbox.told(first)
        path = f"/v1/predictions/{prediction.id}/webhooks/replay"
        assert (await client.post(path, json={"endpoint": foreign["id"]})).status_code == 422
        answer = await client.post(path, json={"endpoint": made["id"]})
        assert answer.status_code == 202
        (again,) = await outbox.due(datetime.now(UTC), 9)
        assert (again.endpoint, again.event, again.message_id) == (
            made["id"],
            "completed",
            answer.json()["id"],
        )
        await client.patch(f"{PATH}/{made['id']}", json={"enabled": False})
        assert (await client.post(path, json={"endpoint": made["id"]})).status_code == 409


async def test_a_prediction_without_listeners_writes_no_letter(platform: ApiPlatform) -> None:
    """Another account's endpoint hears nothing of it."""
    async with platform.client("other") as other:
        await _made(other, events=["start", "completed"])
    await platform.services.predictions.create(
        platform.accounts["owner"], version=platform.version, input={"text": "x"}
    )
    await platform.instance().run("x")
    assert await SqlOutbox(platform.database).next_due() is None
