"""Collections over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cogyard.domain.values import Account
from cogyard.features.collections.ports import Collection
from cogyard.testing.api import ApiPlatform

pytestmark = pytest.mark.anyio


async def test_a_collection_is_made_filled_shown_and_deleted(platform: ApiPlatform) -> None:
    """By an administrator, for everybody; a private model in it is its owner's to see."""
    services, owner = platform.services, platform.accounts["owner"]
    await services.models.create(owner, "owner", "hidden", visibility="private")
    path = "/v1/collections/text-to-image"
    texts = {"name": "Text to image", "description": "Paints", "full_description": "# Painters"}
    async with (
        platform.client("root") as root,
        platform.client("other") as other,
        platform.client() as client,
    ):
        assert (await other.get(path)).status_code == 404
        assert (await root.put(path, json={"name": "First"})).status_code == 200
        assert (await root.put(path, json=texts)).json() == {**texts, "slug": "text-to-image", "models": []}
        for name in ("hidden", "echo"):
            assert (await root.put(f"{path}/models/owner/{name}")).status_code == 204
        shown = (await other.get(path)).json()
        assert [model["name"] for model in shown["models"]] == ["echo"]
        assert shown["models"][0] == (await other.get("/v1/models/owner/echo")).json()
        mine = (await client.get(path)).json()
        assert [model["name"] for model in mine["models"]] == ["hidden", "echo"]
        listed = (await other.get("/v1/collections")).json()
        wanted = {"name": "Text to image", "slug": "text-to-image", "description": "Paints"}
        assert listed == {"next": None, "previous": None, "results": [wanted]}
        found = (await other.get("/v1/search", params={"query": "paint IMAGE"})).json()
        assert found["collections"] == [{**wanted, "models": ["owner/echo"]}]
        assert (await other.get("/v1/search", params={"query": "*"})).json()["collections"] == []
        assert (await root.delete(f"{path}/models/owner/echo")).status_code == 204
        assert (await root.delete(f"{path}/models/owner/echo")).status_code == 404
        assert (await root.put(f"{path}/models/owner/none")).status_code == 404
        assert (await root.delete(path)).status_code == 204
        assert (await root.delete(path)).status_code == 404


@pytest.mark.parametrize(
    ("slug", "body", "field"),
    [
        ("Upper", {"name": "x"}, "slug"),
        ("x" * 65, {"name": "x"}, "slug"),
        ("good", {"name": " "}, "name"),
        ("good", {"name": "x" * 101}, "name"),
        ("good", {"name": "x", "description": "x" * 501}, "description"),
    ],
)
async def test_a_bad_collection_is_refused(
    platform: ApiPlatform, slug: str, body: dict[str, Any], field: str
) -> None:
    """The field is named."""
    async with platform.client("root") as root:
        answer = await root.put(f"/v1/collections/{slug}", json=body)
    assert answer.status_code == 422
    assert answer.json()["invalid_fields"][0]["field"] == field


async def test_no_account_takes_what_begins_with_anothers_name(platform: ApiPlatform) -> None:
    """Names have dots: whoever is longer hears nothing of what the shorter has; an older one stays its owner's."""
    services = platform.services
    short = await services.accounts.create("ann", name="ann")
    longer = await services.accounts.create("ann.b", name="ann.b")
    older = Collection(slug="ann.c.older", name="Older", description="", owner="ann")
    assert await services.collections.store.put(older, datetime(2026, 11, 26, tzinfo=UTC))
    async with platform.client(None) as client:

        async def put(account: Account, slug: str) -> tuple[int, str]:
            token = await services.accounts.create_token(account, "tests")
            answer = await client.put(
                f"/v1/collections/{slug}",
                json={"name": "Newer", "owner": account.username},
                headers={"Authorization": f"Bearer {token}"},
            )
            return answer.status_code, answer.text

        status, why = await put(short, "ann.b.x")
        assert (status, "no further dot" in why) == (422, True)
        assert (await put(longer, "ann.b.x"))[0] == 200
        assert (await put(short, "ann.x"))[0] == 200
        assert (await put(short, "ann.c.older"))[0] == 200
    assert [await services.collections.store.get(each) for each in ("ann.b.x", "ann.c.older")] == [
        replace(older, slug="ann.b.x", name="Newer", owner="ann.b"),
        replace(older, name="Newer"),
    ]
