"""Every route, asked by everybody: the table is made from the routes, so a new one without a rule fails here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.deployments import Configuration
from cogyard.domain.scopes import Scope
from cogyard.features.collections.ports import Collection
from cogyard.features.webhooks.endpoints import Wanted
from cogyard.http.endpoints import Access
from cogyard.testing.api import TRAINABLE_SCHEMA, ApiPlatform, add_version
from cogyard.web.api import API, CAPABILITIES

from tests.integration.api import documented

pytestmark = pytest.mark.anyio

PEOPLE = ("anonymous", "revoked", "other", "owner", "root")

# The routes are about things of `owner`, all private. Bodies are whole, so that only the caller decides.
VERSION = "e" * 64
DEPLOYMENT: dict[str, Any] = {
    "name": "front",
    "model": "owner/hidden",
    "version": VERSION,
    "hardware": "cpu",
    "min_instances": 0,
    "max_instances": 1,
}
BODIES: dict[str, Any] = {
    "predictions.create": {"version": VERSION, "input": {"text": "x"}},
    "models.predictions.create": {"input": {"text": "x"}},
    "models.update": {"description": "d"},
    "deployments.create": DEPLOYMENT,
    "tokens.create": {"name": "more"},
    "predictions.webhooks.replay": {},
    "models.limits.update": {"at_once": 1000},
    "account.retention.update": {"keep_predictions": 3600},
    "models.retention.update": {"keep_predictions": "forever"},
    "deployments.retention.update": {"keep_predictions": None},
    "webhooks.endpoints.create": {"url": "https://ends.test/b"},
    "webhooks.endpoints.update": {"enabled": False},
    "collections.put": {"name": "Chosen"},
    "trainings.create": {"destination": "owner/hidden", "input": {"text": "x"}},
    "deployments.update": {"max_instances": 2},
    "deployments.rollback": {"release": 1},
    "deployments.predictions.create": {"input": {"text": "x"}},
    "models.create": {"owner": "owner", "name": "made", "visibility": "private", "hardware": "cpu"},
}

# operation: (other, owner, root). Of what is private others hear what they would hear if it were not there.
RULES: dict[str, tuple[int, int, int]] = {
    "account.get": (200, 200, 200),
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
    "webhooks.deliveries.list": (200, 200, 200),
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
    # A destination that is not the caller's is not there; the version of the scene has nothing to train.
    "trainings.create": (404, 422, 422),
    "trainings.get": (404, 200, 404),
    "trainings.cancel": (404, 200, 404),
    "deployments.list": (200, 200, 200),
    "deployments.create": (422, 409, 200),
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
}

# Addresses that are their own key: whoever knows them gets this, with a token or without.
CAPABLE: dict[str, int] = {
    "files.download": 404,  # without its signature
    "streams.get": 200,
    "streams.files.get": 200,
    "delivery.get": 200,
    "internal.outputs.put": 201,
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A platform with one of everything, and the parts of addresses that name it."""

    platform: ApiPlatform
    parts: dict[str, dict[str, str]]
    tokens: dict[str, str]
    bodies: dict[str, Any]

    def path(self, operation: str, path: str) -> str:
        """Return a route's address about what belongs to `owner`."""
        room = operation.split(".", maxsplit=1)[0]
        return path.format(**self.parts["all"], **self.parts.get(room, {}))

    async def ask(self, person: str, method: str, path: str, operation: str) -> int:
        """Return the status that somebody gets; the answer must be as the API's document says."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}"} if person in self.tokens else {}
        options: dict[str, Any] = {}
        if operation in self.bodies:
            options["json"] = self.bodies[operation]
        elif operation == "files.create":
            options["files"] = {"content": ("a", b"x")}
        elif operation == "search":
            options["params"] = {"query": "x"}
        elif method in {"PUT", "QUERY"}:
            options["content"] = b"x"
        async with self.platform.client(None, headers=headers) as client:
            answer = await client.request(method, path, **options)
        documented.check(operation, answer)
        return answer.status_code


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Open a platform where `owner` has a private model with a version, a file, and predictions."""
    async with ApiPlatform.open(tmp_path) as platform:
        services, owner = platform.services, platform.accounts["owner"]
        model = await services.models.create(owner, "owner", "hidden", visibility="private")
        await services.models.update(owner, "owner", "hidden", readme="Hidden")
        version = await add_version(services, model, VERSION)
        done = await services.predictions.create(owner, version=version, input={"text": "done"})
        await platform.instance(version.id).run("x")
        await services.predictions.create(owner, version=version, input={"text": "running"})
        claim = await platform.instance(version.id).claim()

        running = {key: value for key, value in DEPLOYMENT.items() if key not in {"name", "model"}}
        await services.deployments.create(owner, "front", "owner/hidden", Configuration(**running))
        await services.deployments.predict(owner, "owner", "front", input={"text": "waits"})

        trainable = await add_version(services, model, "f" * 64, TRAINABLE_SCHEMA)
        training = await services.predictions.create(
            owner, version=trainable, input={"steps": 1}, destination="owner/hidden"
        )

        root = platform.accounts["root"]
        await services.collections.put(root, Collection(slug="chosen", name="Chosen", description=""))
        await services.collections.add_model(root, "chosen", "owner", "hidden")

        async def content() -> AsyncIterator[bytes]:
            yield b"secret"

        endpoint = await services.endpoints.create(owner, Wanted(url="https://ends.test/a"))
        file = await services.files.create(owner, "a.txt", "text/plain", content())
        revoked = await services.accounts.create_token(owner, "revoked")
        newest = (await services.accounts.tokens(owner))[0]
        await services.accounts.revoke(owner, newest.id)
        scoped = {
            person: await services.accounts.create_token(owner, person, scope=scope)
            for person, scope in (("reader", Scope.READ), ("runner", Scope.RUN))
        }
        spare = (await services.accounts.tokens(owner))[-1]
        parts = {
            "all": {"owner": "owner", "version": VERSION, "lease": claim.lease_token},
            "files": {"id": file.id, "name": file.name, "token": file.token},
            "delivery": {"name": file.name, "token": file.token},
            "predictions": {"id": done.id},
            "streams": {"token": done.stream_token},
            "models": {"name": "hidden", "id": done.id},
            "deployments": {"name": "front"},
            "tokens": {"id": str(spare.id)},
            "webhooks": {"id": endpoint.id},
            "collections": {"name": "hidden", "slug": "chosen"},
            "trainings": {"name": "hidden", "id": training.id},
            "internal": {"name": "out.png"},
        }
        bodies = {"models.examples.add": {"prediction": done.id}}
        yield Scene(
            bodies={**BODIES, **bodies},
            platform=platform,
            parts=parts,
            tokens={**platform.tokens, **scoped, "revoked": revoked},
        )


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
    for person, scope in (("reader", Scope.READ), ("runner", Scope.RUN)):
        # The owner's tokens that reach less far: as the owner, or not at all.
        expected[person] = owner if scope.covers(endpoint.needs) else 403
    if endpoint.operation == "models.create":
        expected["owner"] = 409
    found = {
        person: await scene.ask(person, endpoint.method, path, endpoint.operation)
        for person in ("anonymous", "revoked", "other", "reader", "runner", "root", "owner")
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
        "/v1" + endpoint.path.format(owner="owner", name=name, version=VERSION, id="x", slug="chosen")
        for name in ("front" if endpoint.operation.startswith("deployments.") else "hidden", "absent")
    )
    async with scene.platform.client("other") as client:
        bodies = scene.bodies
        options = {"json": bodies[endpoint.operation]} if endpoint.operation in bodies else {}
        first = await client.request(endpoint.method, here, **options)
        second = await client.request(endpoint.method, nowhere, **options)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert dict(first.headers) == dict(second.headers)


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
