"""Models, versions, accounts and hardware over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.testing.api import BASE, ApiPlatform, add_version

pytestmark = pytest.mark.anyio


async def test_the_account_of_the_token(platform: ApiPlatform) -> None:
    """The oldest client needs a name (wire gotcha 8)."""
    async with platform.client() as client:
        assert (await client.get("/v1/account")).json() == {
            "type": "user",
            "username": "owner",
            "name": "Owner",
            "avatar_url": None,
            "github_url": None,
        }


async def test_hardware_is_a_bare_array(platform: ApiPlatform) -> None:
    """The only list without pages (wire gotcha 16)."""
    async with platform.client() as client:
        assert (await client.get("/v1/hardware")).json() == [{"sku": "cpu", "name": "CPU"}]


async def test_the_webhook_secret_is_one_and_stays(platform: ApiPlatform) -> None:
    """Standard base64 after one underscore (wire gotcha 6), different for each account."""
    async with platform.client() as client, platform.client("other") as other:
        key = (await client.get("/v1/webhooks/default/secret")).json()["key"]
        assert key.startswith("whsec_")
        assert len(key.split("_")) == 2
        assert (await client.get("/v1/webhooks/default/secret")).json()["key"] == key
        assert (await other.get("/v1/webhooks/default/secret")).json()["key"] != key


async def test_a_model_is_made_shown_changed_and_deleted(platform: ApiPlatform) -> None:
    """The whole life of a model."""
    body = {"owner": "owner", "name": "new-one", "visibility": "private", "hardware": "cpu"}
    async with platform.client() as client:
        made = await client.post("/v1/models", json={**body, "description": "Says hello"})
        assert made.status_code == 201
        shown = (await client.get("/v1/models/owner/new-one")).json()
        assert shown == made.json()
        assert shown["url"] == f"{BASE}/owner/new-one"
        assert shown["latest_version"] is None
        assert shown["default_example"] is None
        assert shown["run_count"] == 0
        changed = await client.patch("/v1/models/owner/new-one", json={"readme": "# Hi", "description": None})
        assert changed.json()["description"] is None
        assert (await client.get("/v1/models/owner/new-one/readme")).text == "# Hi"
        assert (await client.post("/v1/models", json=body)).status_code == 409
        assert (await client.delete("/v1/models/owner/new-one")).status_code == 204
        assert (await client.get("/v1/models/owner/new-one")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Upper"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"visibility": "secret"}, "visibility"),
        ({"hardware": "gpu-t9"}, "hardware"),
        ({"github_url": "javascript:alert(1)"}, "github_url"),
        ({"description": "x" * 501}, "description"),
    ],
)
async def test_a_bad_model_is_refused(platform: ApiPlatform, changes: dict[str, Any], field: str) -> None:
    """The field is named."""
    body = {"owner": "owner", "name": "n", "visibility": "private", "hardware": "cpu", **changes}
    async with platform.client() as client:
        answer = await client.post("/v1/models", json=body)
    assert answer.status_code == 422
    assert answer.json()["invalid_fields"][0]["field"] == field


async def test_missing_fields_are_a_422(platform: ApiPlatform) -> None:
    """All four are required."""
    async with platform.client() as client:
        answer = await client.post("/v1/models", json={"owner": "owner"})
    assert answer.status_code == 422
    assert "name" in answer.json()["detail"]


async def test_versions_are_listed_newest_first_with_their_schema(platform: ApiPlatform) -> None:
    """cog_version and openapi_schema are there (wire gotcha 9)."""
    newest = await add_version(platform.services, platform.model, "d" * 64)
    async with platform.client() as client:
        listed = (await client.get("/v1/models/owner/echo/versions")).json()
        assert [version["id"] for version in listed["results"]] == [newest.id, platform.version.id]
        assert listed["next"] is None
        one = (await client.get(f"/v1/models/owner/echo/versions/{newest.id}")).json()
        assert one["cog_version"] == "0.16.0"
        assert "Input" in one["openapi_schema"]["components"]["schemas"]
        assert (await client.get("/v1/models/owner/echo")).json()["latest_version"]["id"] == newest.id


async def test_the_same_digest_again_is_the_same_version(platform: ApiPlatform) -> None:
    """A second push of an image makes nothing."""
    again = await add_version(platform.services, platform.model, platform.version.id)
    assert again.created_at == platform.version.created_at


async def test_deleting_the_latest_version_leaves_the_one_before(platform: ApiPlatform) -> None:
    """202 without a body (wire gotcha 11); the model's latest is what remains."""
    newest = await add_version(platform.services, platform.model, "d" * 64)
    async with platform.client() as client:
        deleted = await client.delete(f"/v1/models/owner/echo/versions/{newest.id}")
        assert (deleted.status_code, deleted.content) == (202, b"")
        assert (await client.get("/v1/models/owner/echo")).json()["latest_version"][
            "id"
        ] == platform.version.id


async def test_a_version_in_use_stays(platform: ApiPlatform) -> None:
    """409 while predictions wait for it."""
    async with platform.client() as client:
        await client.post("/v1/predictions", json={"version": platform.version.id, "input": {"text": "x"}})
        answer = await client.delete(f"/v1/models/owner/echo/versions/{platform.version.id}")
        assert answer.status_code == 409
        assert (await client.delete("/v1/models/owner/echo")).status_code == 409


async def test_two_models_may_share_an_image(platform: ApiPlatform) -> None:
    """An id means one's own copy before another's."""
    mine = await platform.services.models.create(
        platform.accounts["other"], "other", "copy", visibility="private"
    )
    await add_version(platform.services, mine, platform.version.id)
    for name, model in (("other", "other/copy"), ("owner", "owner/echo")):
        async with platform.client(name) as client:
            answer = await client.post(
                "/v1/predictions", json={"version": platform.version.id, "input": {"text": "x"}}
            )
            assert answer.json()["model"] == model


async def test_models_are_listed_by_their_latest_version(platform: ApiPlatform) -> None:
    """Public ones with a version, in pages of 25 that lead on; sorted as asked."""
    owner = platform.accounts["owner"]
    for n in range(30):
        model = await platform.services.models.create(owner, "owner", f"m{n:02}", visibility="public")
        await add_version(platform.services, model, f"{n:064x}")
    await platform.services.models.create(owner, "owner", "empty", visibility="public")
    async with platform.client("other") as client:
        first = (await client.get("/v1/models")).json()
        assert len(first["results"]) == 25
        assert first["results"][0]["name"] == "m29"
        second = (await client.get(first["next"])).json()
        assert [model["name"] for model in second["results"]] == ["m04", "m03", "m02", "m01", "m00", "echo"]
        assert second["next"] is None
        query = {"sort_by": "model_created_at", "sort_direction": "asc"}
        oldest = (await client.get("/v1/models", params=query)).json()
        assert oldest["results"][0]["name"] == "echo"
        assert (await client.get(oldest["next"])).json()["results"][0]["name"] == "m24"
        assert (await client.get("/v1/models", params={"sort_by": "x"})).status_code == 400


@pytest.mark.parametrize("body", ["echo", '"echo"', "  Owner/Echo "])
async def test_search_takes_words_bare_or_quoted(platform: ApiPlatform, body: str) -> None:
    """QUERY with the words as text (wire gotcha 12)."""
    async with platform.client("other") as client:
        answer = await client.request(
            "QUERY", "/v1/models", content=body, headers={"Content-Type": "text/plain"}
        )
    assert [model["name"] for model in answer.json()["results"]] == ["echo"]
    assert answer.json()["next"] is None


async def test_a_search_for_half_a_character_finds_nothing(platform: ApiPlatform) -> None:
    """It is no JSON string that we take, and no failure of ours."""
    async with platform.client("other") as client:
        answer = await client.request("QUERY", "/v1/models", content=rb'"\ud800"')
    assert (answer.status_code, answer.json()["results"]) == (200, [])


async def test_search_over_everything(platform: ApiPlatform) -> None:
    """GET /search needs its words."""
    async with platform.client("other") as client:
        found = (await client.get("/v1/search", params={"query": "echo"})).json()
        assert found["models"][0]["model"]["name"] == "echo"
        missing = await client.get("/v1/search")
        assert missing.status_code == 400
        assert missing.json() == {"detail": 'Query parameter "query" is required'}


async def test_runs_are_counted(platform: ApiPlatform) -> None:
    """run_count grows with every prediction."""
    async with platform.client() as client:
        for _ in range(3):
            await client.post(
                "/v1/predictions", json={"version": platform.version.id, "input": {"text": "x"}}
            )
        assert (await client.get("/v1/models/owner/echo")).json()["run_count"] == 3


async def test_collections_are_a_page(platform: ApiPlatform) -> None:
    """There are none yet, and that is said in the usual shape."""
    async with platform.client() as client:
        assert (await client.get("/v1/collections")).json() == {"next": None, "previous": None, "results": []}
        assert (await client.get("/v1/collections/x")).status_code == 404
