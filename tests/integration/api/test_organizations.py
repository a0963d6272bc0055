"""What members of an organization do in its name, and what becomes of it when they or it go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.audit.ports import Wanted
from cogyard.testing.api import add_version

from tests.integration.api.scene import ORGANIZATION, Scene, opened_with_members

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Open a platform where everything is private to an organization with a member of each role."""
    async with opened_with_members(tmp_path) as found:
        yield found


async def test_whoever_is_removed_is_out_with_the_next_request(scene: Scene) -> None:
    """By token, by session, by the organization's name: the next answer is a stranger's, and a new role counts too."""
    platform = scene.platform
    accounts, organizations = platform.services.accounts, platform.services.organizations
    owner, writer = await accounts.get("owner"), await accounts.get("the-writer")
    assert owner is not None
    assert writer is not None
    token = scene.headers("writer")
    asked = (f"/v1/models/{ORGANIZATION}/hidden", f"/{ORGANIZATION}/hidden")

    async def looked(path: str) -> list[int]:
        async with platform.client(None, headers=token) as api, platform.client(None) as page:
            link = await accounts.create_login_link(writer)
            await page.post(
                f"/signin/link/{link}", data={"skip": "1"}, headers={"Sec-Fetch-Site": "same-origin"}
            )
            first = [(await api.get(asked[0])).status_code, (await page.get(asked[1])).status_code]
            if path == "removed":
                await organizations.remove_member(owner, ORGANIZATION, "the-writer")
            else:
                await organizations.put_member(owner, ORGANIZATION, "the-writer", Role.READER)
            patched = await api.patch(asked[0], json={"description": "x"})
            return [
                *first,
                (await api.get(asked[0])).status_code,
                (await page.get(asked[1])).status_code,
                patched.status_code,
            ]

    assert await looked("demoted") == [200, 200, 200, 200, 403]
    assert await looked("removed") == [200, 200, 404, 404, 404]


async def test_owners_who_leave_at_once_leave_one_behind(scene: Scene) -> None:
    """Each is decided about after the other; whoever comes last is told to stay."""
    platform = scene.platform
    accounts, organizations = platform.services.accounts, platform.services.organizations
    people = [await accounts.get(name) for name in ("owner", "the-owner")]
    leaving = [
        organizations.remove_member(person, ORGANIZATION, person.username)
        for person in people
        if person is not None
    ]
    ends = await asyncio.gather(*leaving, return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["ConflictError", "NoneType"]
    left = await organizations.members(platform.accounts["root"], ORGANIZATION)
    assert [each.role for each in left if each.joined].count(Role.OWNER) == 1


async def test_lists_show_members_what_is_the_organizations(scene: Scene) -> None:
    """Search by their own token; predictions, files, deployments and trainings when they act for it."""
    async with scene.platform.client(None, headers=scene.headers(Role.READER)) as client:
        found = (await client.request("QUERY", "/v1/models", content=b"hidden")).json()["results"]
        assert [each["owner"] for each in found] == [ORGANIZATION]
        for path, count in (("predictions", 3), ("files", 1), ("deployments", 1), ("trainings", 1)):
            own = (await client.get(f"/v1/{path}")).json()["results"]
            theirs = await client.get(f"/v1/{path}", headers={"Cogyard-Account": ORGANIZATION.upper()})
            assert (own, len(theirs.json()["results"])) == ([], count)
    async with scene.platform.client(None, headers=scene.headers("removed")) as client:
        assert (await client.request("QUERY", "/v1/models", content=b"hidden")).json()["results"] == []


async def test_whose_a_prediction_is(scene: Scene) -> None:
    """The account's that the request acts for, of an organization's deployment the organization's; and who asked."""
    platform = scene.platform
    reader = await platform.services.accounts.get("the-reader")
    organization = await platform.services.accounts.get(ORGANIZATION)
    assert reader is not None
    assert organization is not None
    body = {"input": {"text": "x"}}
    model, deployment = (
        f"/v1/models/{ORGANIZATION}/hidden/predictions",
        f"/v1/deployments/{ORGANIZATION}/front/predictions",
    )

    async def owner_of(client: Any, path: str, **headers: str) -> tuple[int, str | None]:
        made = (await client.post(path, json=body, headers=headers)).json()
        record = await platform.services.predictions.queue.store.get(made["id"])
        assert record is not None
        assert made.get("asked_by") == record.prediction.asked_by
        return record.prediction.account_id, record.prediction.asked_by

    async with platform.client(None, headers=scene.headers(Role.READER)) as client:
        assert await owner_of(client, model) == (reader.id, None)
        assert await owner_of(client, model, **{"Cogyard-Account": ORGANIZATION}) == (
            organization.id,
            "the-reader",
        )
        assert await owner_of(client, deployment) == (organization.id, "the-reader")
        assert await owner_of(client, deployment, **{"Cogyard-Account": "the-reader"}) == (
            organization.id,
            "the-reader",
        )
        listed = (await client.get(deployment)).json()["results"]
        assert len(listed) == 3
    async with platform.client(None, headers=scene.headers("write-token")) as client:
        assert await owner_of(client, model) == (organization.id, None)
    async with platform.client("root") as client:
        assert await owner_of(client, deployment) == (platform.accounts["root"].id, None)


async def test_an_organization_deploys_what_it_may_run_itself(scene: Scene) -> None:
    """Not a member's private model: the others would run it, also once the member has left."""
    platform = scene.platform
    writer = await platform.services.accounts.get("the-writer")
    assert writer is not None
    await _versioned(scene, writer, "own")
    body = {
        **scene.bodies["deployments.create"],
        "name": "second",
        "model": "the-writer/own",
        "version": "d" * 64,
    }
    async with platform.client(None, headers=scene.headers(Role.WRITER)) as client:
        refused = await client.post("/v1/deployments", json=body)
        assert refused.status_code == 422
        assert "the-writer/own" in refused.json()["detail"]
        body.pop("owner")
        made = await client.post("/v1/deployments", json=body)
        assert (made.status_code, made.json()["owner"]) == (200, "the-writer")
        acting = {"Cogyard-Account": ORGANIZATION}
        body |= {"model": f"{ORGANIZATION}/hidden", "version": "e" * 64}
        made = await client.post("/v1/deployments", json=body, headers=acting)
        assert (made.status_code, made.json()["owner"]) == (200, ORGANIZATION)


async def _versioned(scene: Scene, owner: Account, name: str) -> None:
    services = scene.platform.services
    model = await services.models.create(owner, owner.username, name, visibility="private")
    await add_version(services, model, "d" * 64)


async def test_collections_of_an_organization(scene: Scene) -> None:
    """Made by its writers under its name, seen by members and by whoever sees a model in it, changed by nobody else."""
    path, body = f"/v1/collections/{ORGANIZATION}.best", {"name": "Best", "owner": ORGANIZATION}
    platform, member = scene.platform, f"/models/{ORGANIZATION}/hidden"
    listing = {"owner": ORGANIZATION}
    async with (
        platform.client(None, headers=scene.headers(Role.READER)) as reader,
        platform.client(None, headers=scene.headers(Role.WRITER)) as writer,
        platform.client("other") as other,
        platform.client("root") as root,
    ):
        for client in (reader, other):
            assert (await client.put(path, json=body)).status_code == 403
        wrong = await writer.put("/v1/collections/best", json=body)
        assert (wrong.status_code, wrong.json()["invalid_fields"][0]["field"]) == (422, "slug")
        assert (await writer.put(path, json=body)).json()["owner"] == ORGANIZATION
        assert (await writer.put(path + member)).status_code == 204
        for client in (reader, writer, root):
            assert (await client.get(path)).status_code == 200
            assert len((await client.get("/v1/collections", params=listing)).json()["results"]) == 1
        assert (await other.get(path)).status_code == 404
        assert (await other.get("/v1/collections", params=listing)).json()["results"] == []
        assert "best" not in (await reader.get("/v1/collections")).text
        for client in (reader, other):
            here, absent = await client.delete(path), await client.delete("/v1/collections/absent.one")
            assert (here.status_code, here.content) == (403, absent.content)
            assert (await client.put(path + member)).status_code == 403
        # With a public model in it everybody sees it, without the rest.
        assert (await writer.put(f"{path}/models/owner/echo")).status_code == 204
        assert [each["name"] for each in (await other.get(path)).json()["models"]] == ["echo"]
        # Again, by the organization itself, without naming it: it stays its own.
        async with platform.client(None, headers=scene.headers("write-token")) as own:
            assert (await own.put(path, json={"name": "Better"})).json()["owner"] == ORGANIZATION
            fresh = await own.put(f"/v1/collections/{ORGANIZATION}.next", json={"name": "Next"})
            assert fresh.json()["owner"] == ORGANIZATION
        assert (
            await root.put("/v1/collections/x.y", json={"name": "X", "owner": "nobody"})
        ).status_code == 422
        assert (await writer.delete(path)).status_code == 204


async def test_only_an_admin_shows_a_private_model_to_everybody(scene: Scene) -> None:
    """A writer changes its texts, and says the same visibility again without harm."""
    path = f"/v1/models/{ORGANIZATION}/hidden"
    for who, visibility, status in (
        (Role.WRITER, "private", 200),
        (Role.WRITER, "public", 403),
        (Role.ADMIN, "public", 200),
    ):
        async with scene.platform.client(None, headers=scene.headers(who)) as client:
            assert (await client.patch(path, json={"visibility": visibility})).status_code == status


async def test_what_a_member_does_for_an_organization_is_noted_under_their_name(scene: Scene) -> None:
    """With whom they acted for; what its own token does is noted under its name."""
    acting = {**scene.headers(Role.WRITER), "Cogyard-Account": ORGANIZATION}
    for headers in (acting, scene.headers("write-token")):
        async with scene.platform.client(None, headers=headers) as client:
            path = f"/v1/models/{ORGANIZATION}/hidden"
            assert (await client.patch(path, json={"description": "x"})).status_code == 200
    assert scene.platform.services.audit is not None
    own, member = await scene.platform.services.audit.entries(Wanted(limit=2))
    assert (member.actor, member.via) == ("the-writer", f"token for {ORGANIZATION}")
    assert (own.actor, own.via) == (ORGANIZATION, "token")


async def test_an_organization_that_goes_leaves_nothing_that_opens(scene: Scene) -> None:
    """Its tokens, predictions and files are over once it may go; its name is free."""
    platform = scene.platform
    services, owner = platform.services, await platform.services.accounts.get("owner")
    assert owner is not None
    async with platform.client(None, headers=scene.headers(Role.OWNER)) as client:
        refused = await client.delete(f"/v1/organizations/{ORGANIZATION}")
        assert refused.status_code == 409
        for word in ("1 models", "1 deployments", "predictions that wait or run"):
            assert word in refused.json()["detail"]
        organization = replace(await services.organizations.get(owner, ORGANIZATION))
        while running := await _running(scene):
            for key in running:
                await services.predictions.cancel(organization, key)
        await services.deployments.delete(organization, ORGANIZATION, "front")
        await services.models.delete(organization, ORGANIZATION, "hidden")
        file = scene.parts["delivery"]
        assert (await client.get(f"/delivery/{file['token']}/{file['name']}")).status_code == 200
        assert (await client.delete(f"/v1/organizations/{ORGANIZATION}")).status_code == 204
        assert (await client.get(f"/delivery/{file['token']}/{file['name']}")).status_code == 404
        assert (await client.get(f"/v1/organizations/{ORGANIZATION}")).status_code == 404
        assert (await client.get(f"/v1/predictions/{scene.parts['predictions']['id']}")).status_code == 404
    async with platform.client(None, headers=scene.headers("write-token")) as client:
        assert (await client.get("/v1/account")).status_code == 401
    assert await services.files.sweep() == 1
    assert (
        await services.organizations.create(platform.accounts["other"], ORGANIZATION)
    ).id != organization.id


async def _running(scene: Scene) -> list[str]:
    rows = await scene.platform.database.read(
        lambda db: db.execute("SELECT prediction_id FROM queue").fetchall()
    )
    return [row[0] for row in rows]
