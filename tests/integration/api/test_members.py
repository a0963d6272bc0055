"""Every route about what is an organization's, asked by every kind of member: made from the routes, as its sister."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope
from cogyard.web.api import API

from tests.integration.api.scene import ORGANIZATION, Scene, opened_with_members
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
    async with opened_with_members(tmp_path) as found:
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
    async with scene.platform.client(None, headers=scene.headers(who)) as client:
        bodies = scene.bodies
        options = {"json": bodies[endpoint.operation]} if endpoint.operation in bodies else {}
        first = await client.request(endpoint.method, here, **options)
        second = await client.request(endpoint.method, nowhere, **options)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert dict(first.headers) == dict(second.headers)
