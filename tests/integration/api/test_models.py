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
        await client.patch("/v1/models/owner/echo", json={"visibility": "private"})
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
        for limit, status in (
            ("1", 200),
            ("-5", 200),
            ("9" * 300, 200),
            ("null", 400),
            ("", 400),
            ("1.5", 400),
        ):
            answer = await client.get("/v1/search", params={"query": "echo", "limit": limit})
            assert answer.status_code == status


async def test_runs_are_counted(platform: ApiPlatform) -> None:
    """run_count grows with every prediction."""
    async with platform.client() as client:
        for _ in range(3):
            await client.post(
                "/v1/predictions", json={"version": platform.version.id, "input": {"text": "x"}}
            )
        assert (await client.get("/v1/models/owner/echo")).json()["run_count"] == 3


async def _done(platform: ApiPlatform, output: Any, **more: Any) -> str:
    """Run a prediction of the owner's to its end and return its id."""
    made = await platform.services.predictions.create(
        platform.accounts["owner"], version=platform.version, input={"text": "x"}, **more
    )
    await platform.instance().run(output)
    return made.id


async def test_examples_are_added_listed_and_removed(platform: ApiPlatform) -> None:
    """The newest first; the oldest is the default until another is made it; removing one keeps the prediction."""
    first, second = await _done(platform, "one"), await _done(platform, "two")
    path = "/v1/models/owner/echo/examples"
    async with platform.client() as client, platform.client("other") as other:
        for key in (first, second, first):
            assert (await client.post(path, json={"prediction": key})).status_code == 201
        listed = (await other.get(path)).json()
        assert [example["output"] for example in listed["results"]] == ["two", "one"]
        assert (await other.get("/v1/models/owner/echo")).json()["default_example"]["id"] == first
        await client.post(path, json={"prediction": second, "default": True})
        assert (await other.get("/v1/models")).json()["results"][0]["default_example"]["id"] == second
        assert (await other.get(f"/v1/predictions/{second}")).json()["output"] == "two"
        assert (await other.post(f"/v1/predictions/{second}/cancel")).status_code == 404
        assert (await other.delete(f"/v1/predictions/{second}")).status_code == 404
        assert (await client.delete(f"{path}/{second}")).status_code == 204
        assert (await other.get(f"/v1/predictions/{second}")).status_code == 404
        assert (await client.delete(f"{path}/{second}")).status_code == 404
        assert (await other.get("/v1/models/owner/echo")).json()["default_example"]["id"] == first
        assert (await client.get(f"/v1/predictions/{second}")).status_code == 200
        assert (await other.post(path, json={"prediction": second})).status_code == 403


async def test_an_example_tells_nobody_where_its_owner_is_told(platform: ApiPlatform) -> None:
    """A webhook's address may hold a secret; a cover is the first picture of what the example made."""
    picture = "https://pictures.test/a.png?size=1"
    key = await _done(platform, picture, webhook="http://127.0.0.1:9/hush")
    async with platform.client() as client, platform.client("other") as other:
        await client.post("/v1/models/owner/echo/examples", json={"prediction": key})
        own = f"/v1/predictions/{key}"
        for path in ("/v1/models/owner/echo", "/v1/models/owner/echo/examples", "/v1/models", own):
            answer = await other.get(path)
            assert picture in answer.text
            assert "hush" not in answer.text
        assert "hush" in (await client.get(own)).text
        assert (await other.get("/v1/models/owner/echo")).json()["cover_image_url"] == picture


@pytest.mark.parametrize("what", ["waiting", "another's", "another model's", "nonsense"])
async def test_what_is_no_example(platform: ApiPlatform, what: str) -> None:
    """422 with the reason: only one's own, of this model, that succeeded."""
    services, owner = platform.services, platform.accounts["owner"]
    if what == "another's":
        made = await services.predictions.create(
            platform.accounts["other"], version=platform.version, input={"text": "x"}
        )
        await platform.instance().run("x")
    elif what == "another model's":
        model = await services.models.create(owner, "owner", "second", visibility="public")
        version = await add_version(services, model, "c" * 64)
        made = await services.predictions.create(owner, version=version, input={"text": "x"})
        await platform.instance(version.id).run("x")
    else:
        made = await services.predictions.create(owner, version=platform.version, input={"text": "x"})
    key = "nonsense" if what == "nonsense" else made.id
    async with platform.client() as client:
        answer = await client.post("/v1/models/owner/echo/examples", json={"prediction": key})
    assert answer.status_code == 422
    assert answer.json()["invalid_fields"][0]["field"] == "prediction"


async def test_the_readme_is_replaced_whole(platform: ApiPlatform) -> None:
    """PUT takes Markdown as it is; an empty one is none; what is no text or too long is refused."""
    path = "/v1/models/owner/echo/readme"
    async with platform.client() as client, platform.client("other") as other:
        assert (await client.get(path)).status_code == 404
        put = await client.put(path, content="# Grüezi\n".encode())
        assert (put.status_code, put.text) == (200, "# Grüezi\n")
        assert (await other.get(path)).text == "# Grüezi\n"
        assert (await client.put(path, content=b"\xff")).status_code == 400
        assert (await client.put(path, content=b"x" * 200_001)).status_code == 422
        assert (await other.put(path, content=b"x")).status_code == 403
        assert (await client.put(path, content=b"")).status_code == 200
        assert (await client.get(path)).status_code == 404


async def test_a_search_finds_readmes_and_the_best_first(platform: ApiPlatform) -> None:
    """Every word must be there or begin one; a word in the name counts most; private models are their owner's."""
    services, owner = platform.services, platform.accounts["owner"]
    for name, visibility, text in (
        ("upscaler", "public", "Makes pictures larger"),
        ("painter", "public", "An upscaler and painter: 图像生成模型"),
        ("secret-upscaler", "private", "Nobody knows"),
    ):
        await services.models.create(owner, "owner", name, visibility=visibility, description=text)
    await services.models.update(owner, "owner", "painter", readme="Élan vital")

    async def found(client: Any, words: str) -> list[str]:
        answer = await client.request("QUERY", "/v1/models", content=words.encode())
        return [model["name"] for model in answer.json()["results"]]

    async with platform.client() as client, platform.client("other") as other:
        assert await found(other, "upscale") == ["upscaler", "painter"]
        assert set(await found(client, "upscaler")) == {"upscaler", "painter", "secret-upscaler"}
        assert await found(other, "elan PICTURES") == []
        assert await found(other, "elan paint") == ["painter"]
        assert await found(other, "生成") == ["painter"]
        for odd in ('"', "* OR", "NEAR(", "path:x", "^a", "-", "\0", "a" * 9000):
            assert "secret-upscaler" not in await found(other, odd)
        await services.models.update(owner, "owner", "painter", readme="Gone")
        assert await found(other, "elan") == []
        await services.models.delete(owner, "owner", "painter")
        assert await found(other, "生成") == []
