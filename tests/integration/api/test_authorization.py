"""Every route, asked by everybody: the table is made from the routes, so a new one without a rule fails here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.scopes import Scope
from cogyard.http.endpoints import Access
from cogyard.store import deployments as deployments_store
from cogyard.store import models as models_store
from cogyard.web.api import API, CAPABILITIES

from tests.integration.api.scene import VERSION, Scene, opened

pytestmark = pytest.mark.anyio

PEOPLE = ("anonymous", "revoked", "other", "owner", "root")

# operation: (other, owner, root). Of what is private others hear what they would hear if it were not there.
RULES: dict[str, tuple[int, int, int]] = {
    "account.get": (200, 200, 200),
    # Each its own.
    "account.export": (200, 200, 200),
    "models.limits.get": (404, 200, 200),
    "models.limits.update": (404, 200, 200),
    "account.retention.get": (200, 200, 200),
    "account.retention.update": (200, 200, 200),
    "models.retention.get": (404, 200, 200),
    "models.retention.update": (404, 200, 200),
    "deployments.retention.get": (404, 200, 200),
    "deployments.retention.update": (404, 200, 200),
    "tokens.list": (200, 200, 200),
    "tokens.create": (201, 201, 201),
    # The token that the owner asks with: it ends with that.
    "tokens.revoke": (404, 204, 404),
    "webhooks.default.secret.get": (200, 200, 200),
    "webhooks.default.secret.rotate": (200, 200, 200),
    # What is asked of organizations is about one of the owner's; `invited` is not asking.
    "organizations.list": (200, 200, 200),
    "organizations.create": (201, 409, 409),
    "organizations.get": (404, 200, 200),
    "organizations.update": (404, 200, 200),
    # It has a model.
    "organizations.delete": (404, 409, 409),
    "organizations.join": (404, 200, 404),
    "organizations.members.list": (404, 200, 200),
    "organizations.members.put": (404, 200, 200),
    # The administrator, who asks first, takes the invitation back.
    "organizations.members.remove": (404, 404, 204),
    "webhooks.deliveries.list": (200, 200, 200),
    "webhooks.deliveries.pending.list": (200, 200, 200),
    "webhooks.endpoints.list": (200, 200, 200),
    "webhooks.endpoints.create": (201, 201, 201),
    "webhooks.endpoints.get": (404, 200, 404),
    "webhooks.endpoints.update": (404, 200, 404),
    "webhooks.endpoints.delete": (404, 204, 404),
    "webhooks.endpoints.secret.rotate": (404, 200, 404),
    # The owner's has no webhook; of another's nobody hears.
    "predictions.webhooks.replay": (404, 409, 404),
    "hardware.list": (200, 200, 200),
    "collections.list": (200, 200, 200),
    "collections.get": (200, 200, 200),
    # Only the operator makes collections; what is in them is as private as it is elsewhere.
    "collections.put": (403, 403, 200),
    "collections.delete": (403, 403, 204),
    "collections.models.add": (403, 403, 204),
    "collections.models.remove": (403, 403, 204),
    "search": (200, 200, 200),
    "files.list": (200, 200, 200),
    "files.create": (201, 201, 201),
    "files.get": (404, 200, 404),
    "files.delete": (404, 204, 404),
    "predictions.list": (200, 200, 200),
    "predictions.create": (422, 201, 201),
    "predictions.get": (404, 200, 404),
    "predictions.cancel": (404, 200, 404),
    "models.list": (200, 200, 200),
    "models.search": (200, 200, 200),
    "models.create": (403, 201, 201),
    "models.get": (404, 200, 200),
    "models.update": (404, 200, 200),
    "models.delete": (404, 409, 409),
    "models.readme.get": (404, 200, 200),
    "models.readme.put": (404, 200, 200),
    "models.examples.list": (404, 200, 200),
    # The administrator may choose, but has no prediction of that id.
    "models.examples.add": (404, 201, 422),
    "models.examples.remove": (404, 404, 404),
    "models.predictions.create": (404, 201, 201),
    # The owner's has ended; of another's nobody hears.
    "predictions.delete": (404, 204, 404),
    "trainings.list": (200, 200, 200),
    # A destination that is not the caller's is not there.
    "trainings.create": (404, 201, 201),
    "trainings.get": (404, 200, 404),
    "trainings.cancel": (404, 200, 404),
    "deployments.list": (200, 200, 200),
    "deployments.create": (403, 409, 409),
    "deployments.get": (404, 200, 200),
    "deployments.update": (404, 200, 200),
    "deployments.delete": (404, 409, 409),
    "deployments.predictions.create": (404, 201, 201),
    "deployments.predictions.list": (404, 200, 200),
    "deployments.releases.list": (404, 200, 200),
    "deployments.rollback": (404, 200, 200),
    "models.versions.list": (404, 200, 200),
    "models.versions.get": (404, 200, 200),
    "models.versions.delete": (404, 409, 409),
    "models.versions.instances.list": (404, 200, 200),
    "models.instances.list": (404, 200, 200),
    "deployments.instances.list": (404, 200, 200),
}

# Addresses that are their own key: whoever knows them gets this, with a token or without.
CAPABLE: dict[str, int] = {
    "files.download": 404,  # without its signature
    "streams.get": 200,
    "streams.files.get": 200,
    "delivery.get": 200,
    "internal.outputs.put": 201,
}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Open a platform where everything is private to `owner`."""
    async with opened(tmp_path) as found:
        yield found


def test_every_route_has_a_rule() -> None:
    """A route that nobody thought about fails."""
    named = {endpoint.operation for endpoint in API if endpoint.access is Access.ACCOUNT}
    assert named == set(RULES)
    open_ = {endpoint.operation for endpoint in (*API, *CAPABILITIES) if endpoint.access is Access.CAPABILITY}
    assert open_ == set(CAPABLE)
    for_all = {endpoint.operation for endpoint in (*API, *CAPABILITIES) if endpoint.access is Access.ANYONE}
    assert for_all == {"openapi.get"}


@pytest.mark.parametrize("endpoint", [e for e in API if e.operation in RULES], ids=lambda e: e.operation)
async def test_who_may_do_what(scene: Scene, endpoint: Any) -> None:
    """Nobody and the revoked get 401; others what the rule says; the owner last, since that may change things."""
    path = "/v1" + scene.path(endpoint.operation, endpoint.path)
    other, owner, root = RULES[endpoint.operation]
    expected = {"anonymous": 401, "revoked": 401, "other": other, "root": root, "owner": owner}
    for person, scope in (("read-token", Scope.READ), ("run-token", Scope.RUN)):
        # The owner's tokens that reach less far: as the owner, or not at all.
        expected[person] = owner if scope.covers(endpoint.needs) else 403
    if endpoint.operation == "models.create":
        expected["owner"] = 409
    found = {
        person: await scene.ask(person, endpoint.method, path, endpoint.operation)
        for person in ("anonymous", "revoked", "other", "read-token", "run-token", "root", "owner")
    }
    assert found == expected


@pytest.mark.parametrize(
    "endpoint", [e for e in (*API, *CAPABILITIES) if e.operation in CAPABLE], ids=lambda e: e.operation
)
async def test_addresses_that_are_their_own_key(scene: Scene, endpoint: Any) -> None:
    """Clients send no header there, so a token changes nothing (wire gotcha 3)."""
    room = "streams" if endpoint.operation.startswith("streams") else endpoint.operation
    base = "/v1" if endpoint in API else ""
    path = base + scene.path(room, endpoint.path)
    for person in PEOPLE:
        assert (
            await scene.ask(person, endpoint.method, path, endpoint.operation) == CAPABLE[endpoint.operation]
        )


@pytest.mark.parametrize("endpoint", [e for e in API if "{name}" in e.path], ids=lambda e: e.operation)
async def test_a_private_model_answers_as_one_that_is_not_there(scene: Scene, endpoint: Any) -> None:
    """Status, body and headers are the same to the last letter."""
    here, nowhere = (
        "/v1"
        + endpoint.path.format(
            owner="owner", name=name, version=VERSION, id="x", slug="chosen", organization="acme"
        )
        for name in ("front" if endpoint.operation.startswith("deployments.") else "hidden", "absent")
    )
    async with scene.platform.client("other") as client:
        bodies = scene.bodies
        options = {"json": bodies[endpoint.operation]} if endpoint.operation in bodies else {}
        first = await client.request(endpoint.method, here, **options)
        second = await client.request(endpoint.method, nowhere, **options)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert dict(first.headers) == dict(second.headers)


async def test_what_is_private_is_not_read_for_others(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long an answer takes would tell that there is something: a README may be large."""
    read: list[object] = []
    # Every row of a model or deployment becomes a value by these; there is no port to listen at below them.
    for module, name in ((models_store, "model_of"), (deployments_store, "deployment_of")):
        made = getattr(module, name)

        def seen(row: Any, *more: Any, made: Any = made) -> Any:
            read.append(row)
            return made(row, *more)

        monkeypatch.setattr(module, name, seen)
    async with scene.platform.client("other") as client, scene.platform.client("owner") as owner:
        for path in (
            "/v1/models/owner/hidden",
            "/v1/models/owner/hidden/readme",
            "/v1/deployments/owner/front",
        ):
            assert (await client.get(path)).status_code == 404
            assert read == []
            assert (await owner.get(path)).status_code == 200
            assert read
            read.clear()


async def test_lists_never_show_what_is_private(scene: Scene) -> None:
    """Neither models, nor search, nor another's files and predictions."""
    async with scene.platform.client("other") as client:
        for method, path in (
            ("GET", "/v1/models"),
            ("QUERY", "/v1/models"),
            ("GET", "/v1/search?query=hidden"),
            ("GET", "/v1/files"),
            ("GET", "/v1/predictions"),
            ("GET", "/v1/collections/chosen"),
        ):
            answer = await client.request(method, path, content=b"hidden" if method == "QUERY" else None)
            assert answer.status_code == 200
            assert "owner/hidden" not in answer.text
            assert "a.txt" not in answer.text
            assert answer.json().get("results", []) == [] or path == "/v1/models"
