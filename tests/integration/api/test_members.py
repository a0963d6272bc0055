"""Every route about what is an organization's, asked by every kind of member: made from the routes, as its sister."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account
from cogyard.features.audit.ports import Wanted
from cogyard.testing.api import add_version
from cogyard.web.api import API

from tests.integration.api.scene import ORGANIZATION, Scene, opened
from tests.integration.api.test_authorization import RULES

pytestmark = pytest.mark.anyio

#: In the order in which they ask: who may least, first.
MEMBERS = ("removed", *Role)

# The least role for which an operation does what it does for an owner of its own things.
LEAST: dict[str, Role] = {
    "account.get": Role.READER,
    "account.export": Role.OWNER,
    "tokens.list": Role.ADMIN,
    "tokens.create": Role.ADMIN,
    "tokens.revoke": Role.ADMIN,
    "webhooks.default.secret.get": Role.WRITER,
    "webhooks.default.secret.rotate": Role.ADMIN,
    "webhooks.deliveries.list": Role.READER,
    "webhooks.deliveries.pending.list": Role.READER,
    "webhooks.endpoints.list": Role.READER,
    "webhooks.endpoints.create": Role.ADMIN,
    "webhooks.endpoints.get": Role.READER,
    "webhooks.endpoints.update": Role.ADMIN,
    "webhooks.endpoints.delete": Role.ADMIN,
    "webhooks.endpoints.secret.rotate": Role.ADMIN,
    "account.retention.get": Role.READER,
    "account.retention.update": Role.WRITER,
    "models.limits.get": Role.WRITER,
    "models.limits.update": Role.WRITER,
    "models.retention.get": Role.WRITER,
    "models.retention.update": Role.WRITER,
    "deployments.retention.get": Role.WRITER,
    "deployments.retention.update": Role.WRITER,
    "predictions.webhooks.replay": Role.WRITER,
    "hardware.list": Role.READER,
    "collections.list": Role.READER,
    "collections.get": Role.READER,
    # The scene's is the platform's own, so that no member may; the organization's have a test below.
    "collections.put": Role.READER,
    "collections.delete": Role.READER,
    "collections.models.add": Role.READER,
    "collections.models.remove": Role.READER,
    "search": Role.READER,
    "files.list": Role.READER,
    "files.create": Role.READER,
    "files.get": Role.READER,
    "files.delete": Role.WRITER,
    "predictions.list": Role.READER,
    "predictions.create": Role.READER,
    "predictions.get": Role.READER,
    "predictions.cancel": Role.READER,
    "predictions.delete": Role.WRITER,
    "models.list": Role.READER,
    "models.search": Role.READER,
    "models.create": Role.WRITER,
    "models.get": Role.READER,
    "models.update": Role.WRITER,
    "models.delete": Role.ADMIN,
    "models.readme.get": Role.READER,
    "models.readme.put": Role.WRITER,
    "models.examples.list": Role.READER,
    "models.examples.add": Role.WRITER,
    "models.examples.remove": Role.WRITER,
    "models.predictions.create": Role.READER,
    "trainings.list": Role.READER,
    "trainings.create": Role.WRITER,
    "trainings.get": Role.READER,
    "trainings.cancel": Role.WRITER,
    "deployments.list": Role.READER,
    "deployments.create": Role.WRITER,
    "deployments.get": Role.READER,
    "deployments.update": Role.WRITER,
    "deployments.delete": Role.WRITER,
    "deployments.predictions.create": Role.READER,
    "deployments.predictions.list": Role.READER,
    "deployments.releases.list": Role.READER,
    "deployments.rollback": Role.WRITER,
    "models.instances.list": Role.WRITER,
    "deployments.instances.list": Role.READER,
    "models.versions.list": Role.READER,
    "models.versions.get": Role.READER,
    "models.versions.delete": Role.WRITER,
    "models.versions.instances.list": Role.WRITER,
    "organizations.list": Role.READER,
    "organizations.create": Role.READER,
    "organizations.get": Role.READER,
    "organizations.update": Role.ADMIN,
    "organizations.delete": Role.OWNER,
    "organizations.join": Role.READER,
    "organizations.members.list": Role.READER,
    "organizations.members.put": Role.ADMIN,
    "organizations.members.remove": Role.ADMIN,
}

# What is about whoever asks, not about what is asked for: with a token of one's own it is about oneself.
ABOUT_ONESELF = frozenset(
    {
        "account.get",
        "account.export",
        "tokens.list",
        "tokens.create",
        "tokens.revoke",
        "webhooks.default.secret.get",
        "webhooks.default.secret.rotate",
        "webhooks.endpoints.list",
        "webhooks.endpoints.create",
        "webhooks.endpoints.get",
        "webhooks.endpoints.update",
        "webhooks.endpoints.delete",
        "webhooks.endpoints.secret.rotate",
        "account.retention.get",
        "account.retention.update",
        "organizations.create",
        "organizations.list",
    }
)
# What a second one finds once the first was let in.
AFTERWARDS: dict[str, int] = {
    "models.create": 409,
    "organizations.create": 409,
    "files.delete": 404,
    "predictions.delete": 404,
    "tokens.revoke": 404,
    "webhooks.endpoints.delete": 404,
    "organizations.members.remove": 404,
}
# The organization's first: what `RULES` says of the owner is said of one who asks after others.
FIRST: dict[str, int] = {"organizations.create": 201, "organizations.members.remove": 204}
# Where not being let do something would tell more than that there is none.
UNLISTED = frozenset({"models.versions.instances.list", "models.instances.list"})
UNSAID: dict[str, int] = {"trainings.create": 404, **dict.fromkeys(UNLISTED, 404)}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Open a platform where everything is private to an organization with a member of each role."""
    async with opened(tmp_path, of=ORGANIZATION) as found:
        platform = found.platform
        accounts, organizations = platform.services.accounts, platform.services.organizations
        owner = await accounts.get("owner")
        assert owner is not None
        for role in (*Role, "removed"):
            name = f"the-{role}"
            someone = await accounts.create(name, name=name)
            kept = Role.WRITER if role == "removed" else Role(role)
            await organizations.put_member(owner, ORGANIZATION, name, kept)
            await organizations.join(someone, ORGANIZATION)
            found.tokens[role] = await accounts.create_token(someone, "tests")
        await organizations.remove_member(owner, ORGANIZATION, "the-removed")
        yield found


def test_every_route_has_a_rule_for_members() -> None:
    """A route that nobody thought about fails."""
    assert set(LEAST) == set(RULES)


def _expected(operation: str, *, before: bool) -> int:
    """Return what one gets who is let in, `before` whom another was or was not."""
    if before and operation in AFTERWARDS:
        return AFTERWARDS[operation]
    return FIRST.get(operation, RULES[operation][1])


@pytest.mark.parametrize("endpoint", [e for e in API if e.operation in RULES], ids=lambda e: e.operation)
async def test_what_a_member_may_do(scene: Scene, endpoint: Any) -> None:
    """With a token of their own, each as far as the role reaches; of the removed it is as of any other."""
    operation = endpoint.operation
    path, least = "/v1" + scene.path(operation, endpoint.path), LEAST[operation]
    expected: dict[str, int] = {"removed": RULES[operation][0]}
    for role in Role:
        if operation in ABOUT_ONESELF:
            expected[role] = 409 if operation == "organizations.create" else RULES[operation][0]
        elif not role.covers(least):
            expected[role] = UNSAID.get(operation, 403)
        else:
            expected[role] = _expected(operation, before=role is not least)
    found = {who: await scene.ask(who, endpoint.method, path, operation) for who in MEMBERS}
    assert found == expected


@pytest.mark.parametrize("endpoint", [e for e in API if e.operation in RULES], ids=lambda e: e.operation)
async def test_what_a_member_may_do_for_the_organization(scene: Scene, endpoint: Any) -> None:
    """Acting for it: all that is about oneself is about the organization; who is no member may not act at all."""
    operation = endpoint.operation
    path, least = "/v1" + scene.path(operation, endpoint.path), LEAST[operation]
    expected: dict[str, int] = {"removed": 403}
    for role in Role:
        if not role.covers(least):
            # Mostly at the door, before anything is looked for.
            expected[role] = 404 if operation in UNLISTED else 403
        else:
            expected[role] = _expected(operation, before=role is not least)
    found = {
        who: await scene.ask(who, endpoint.method, path, operation, acting=ORGANIZATION) for who in MEMBERS
    }
    assert found == expected


@pytest.mark.parametrize("endpoint", [e for e in API if e.operation in RULES], ids=lambda e: e.operation)
async def test_what_an_organizations_own_token_may_do(scene: Scene, endpoint: Any) -> None:
    """As far as a writer, less with less scope; it is nobody in the organization, and makes none."""
    operation = endpoint.operation
    path = "/v1" + scene.path(operation, endpoint.path)
    whole = _expected(operation, before=False) if Role.WRITER.covers(LEAST[operation]) else 403
    if operation in {"organizations.create", "organizations.join"}:
        whole = {"organizations.create": 403, "organizations.join": 404}[operation]
    expected: dict[str, int] = {"revoked": 401}
    for scope in ("read", "run"):
        expected[f"{scope}-token"] = whole if _covers(scope, endpoint) else 403
    expected["write-token"] = whole
    found = {who: await scene.ask(who, endpoint.method, path, operation) for who in expected}
    assert found == expected


def _covers(scope: str, endpoint: Any) -> bool:
    return Scope(scope).covers(endpoint.needs)


@pytest.mark.parametrize("endpoint", [e for e in API if "{name}" in e.path], ids=lambda e: e.operation)
@pytest.mark.parametrize("who", ["other", "removed"])
async def test_a_private_model_of_an_organization_is_not_there_for_others(
    scene: Scene, endpoint: Any, who: str
) -> None:
    """Status, body and headers are the same to the last letter, also for who knew it once."""
    kept = "front" if endpoint.operation.startswith("deployments.") else "hidden"
    here, nowhere = (
        "/v1" + endpoint.path.format(owner=owner, name=name, version="e" * 64, id="x", slug="chosen")
        for owner, name in ((ORGANIZATION, kept), (ORGANIZATION, "absent"))
    )
    headers = {"Authorization": f"Bearer {scene.tokens[who]}"}
    async with scene.platform.client(None, headers=headers) as client:
        bodies = scene.bodies
        options = {"json": bodies[endpoint.operation]} if endpoint.operation in bodies else {}
        first = await client.request(endpoint.method, here, **options)
        second = await client.request(endpoint.method, nowhere, **options)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert dict(first.headers) == dict(second.headers)


async def test_whoever_is_removed_is_out_with_the_next_request(scene: Scene) -> None:
    """By token, by session, by the organization's name: the next answer is a stranger's, and a new role counts too."""
    platform = scene.platform
    accounts, organizations = platform.services.accounts, platform.services.organizations
    owner, writer = await accounts.get("owner"), await accounts.get("the-writer")
    assert owner is not None
    assert writer is not None
    token = {"Authorization": f"Bearer {scene.tokens['writer']}"}
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
    async with scene.platform.client(None, headers=_as(scene, Role.READER)) as client:
        found = (await client.request("QUERY", "/v1/models", content=b"hidden")).json()["results"]
        assert [each["owner"] for each in found] == [ORGANIZATION]
        for path, count in (("predictions", 3), ("files", 1), ("deployments", 1), ("trainings", 1)):
            own = (await client.get(f"/v1/{path}")).json()["results"]
            theirs = await client.get(f"/v1/{path}", headers={"Cogyard-Account": ORGANIZATION.upper()})
            assert (own, len(theirs.json()["results"])) == ([], count)
    async with scene.platform.client(None, headers=_as(scene, "removed")) as client:
        assert (await client.request("QUERY", "/v1/models", content=b"hidden")).json()["results"] == []


def _as(scene: Scene, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {scene.tokens[who]}"}


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

    async with platform.client(None, headers=_as(scene, Role.READER)) as client:
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
    async with platform.client(None, headers=_as(scene, "write-token")) as client:
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
    async with platform.client(None, headers=_as(scene, Role.WRITER)) as client:
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
        platform.client(None, headers=_as(scene, Role.READER)) as reader,
        platform.client(None, headers=_as(scene, Role.WRITER)) as writer,
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
        async with platform.client(None, headers=_as(scene, "write-token")) as own:
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
        async with scene.platform.client(None, headers=_as(scene, who)) as client:
            assert (await client.patch(path, json={"visibility": visibility})).status_code == status


async def test_what_a_member_does_for_an_organization_is_noted_under_their_name(scene: Scene) -> None:
    """With whom they acted for; what its own token does is noted under its name."""
    acting = {**_as(scene, Role.WRITER), "Cogyard-Account": ORGANIZATION}
    for headers in (acting, _as(scene, "write-token")):
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
    async with platform.client(None, headers=_as(scene, Role.OWNER)) as client:
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
    async with platform.client(None, headers=_as(scene, "write-token")) as client:
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
