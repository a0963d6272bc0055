"""Every route of the registry, asked by everybody: the table is made from the routes, as that of the API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.compose.registry import AccountIdentity, ModelAccess
from cogyard.domain.roles import Role
from cogyard.registry.app import ROUTES, create_registry
from cogyard.registry.names import Kind
from cogyard.testing.blobs import MemoryBlobs, MemoryUploads
from cogyard.testing.registry import MemoryRepositories, RecordedPushes
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.integration.api.scene import ORGANIZATION, Scene, opened_with_members

pytestmark = pytest.mark.anyio

REPOSITORY = f"{ORGANIZATION}/hidden"
BLOB = b"{}"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": f"sha256:{hashlib.sha256(BLOB).hexdigest()}",
            "size": len(BLOB),
        },
        "layers": [],
    }
).encode()
DIGEST, IMAGE = (f"sha256:{hashlib.sha256(each).hexdigest()}" for each in (BLOB, MANIFEST))

TYPE = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
URL = "http://registry.test"

#: In the order in which they ask: who may least, first. The narrow tokens are an owner's.
PEOPLE = ("anonymous", "revoked", "other", "removed", "read-token", "run-token", *map(str, Role), "root")
READERS = ("read-token", "run-token", *map(str, Role), "root")
WRITERS = (str(Role.WRITER), str(Role.ADMIN), str(Role.OWNER), "root")


def _read(status: int = 200) -> dict[str, int]:
    # A repository that one may not see answers as one that is not there.
    return {
        **dict.fromkeys(("anonymous", "revoked"), 401),
        **dict.fromkeys(("other", "removed"), 404),
        **dict.fromkeys(READERS, status),
    }


def _write(status: int, afterwards: int | None = None) -> dict[str, int]:
    first, *others = WRITERS
    return {
        **dict.fromkeys(("anonymous", "revoked"), 401),
        **dict.fromkeys(("other", "removed", "read-token", "run-token", str(Role.READER)), 403),
        first: status,
        **dict.fromkeys(others, status if afterwards is None else afterwards),
    }


RULES: dict[tuple[Kind, str], dict[str, int]] = {
    **{
        (Kind.BASE, method): {**dict.fromkeys(PEOPLE, 200), "anonymous": 401, "revoked": 401}
        for method in ("GET", "HEAD")
    },
    **{
        (kind, method): _read()
        for kind in (Kind.BLOB, Kind.MANIFEST, Kind.TAGS, Kind.REFERRERS)
        for method in ("GET", "HEAD")
    },
    # The manifest still needs it, which only those hear who might have deleted it.
    (Kind.BLOB, "DELETE"): _write(405),
    (Kind.UPLOADS, "POST"): _write(202),
    (Kind.UPLOAD, "GET"): _write(204),
    (Kind.UPLOAD, "HEAD"): _write(204),
    (Kind.UPLOAD, "PATCH"): _write(202),
    (Kind.UPLOAD, "PUT"): _write(201),
    (Kind.UPLOAD, "DELETE"): _write(204),
    (Kind.MANIFEST, "PUT"): _write(201),
    (Kind.MANIFEST, "DELETE"): _write(202, afterwards=404),
    # Everybody gets one; what is in it is another test's matter.
    (Kind.TOKEN, "GET"): {**dict.fromkeys(PEOPLE, 200), "revoked": 401},
    (Kind.TOKEN, "POST"): {**dict.fromkeys(PEOPLE, 200), "revoked": 401},
    (Kind.TOKEN_URL, "GET"): dict.fromkeys(PEOPLE, 200),
    (Kind.VERIFY_TOKEN, "POST"): {**dict.fromkeys(PEOPLE, 200), "anonymous": 404, "revoked": 404},
}
ROUTED = [(kind, method) for kind, methods in ROUTES.items() for method in methods]


@dataclass(frozen=True)
class Place:
    """A registry before a platform where everything is private to an organization with a member of each role."""

    scene: Scene
    client: httpx2.AsyncClient

    async def upload(self) -> str:
        """Begin an upload and return its path."""
        begun = await self.client.post(
            f"/v2/{REPOSITORY}/blobs/uploads/", headers=self.scene.headers(Role.OWNER)
        )
        return str(httpx2.URL(begun.headers["location"]).path)

    async def ask(self, person: str, kind: Kind, method: str) -> httpx2.Response:
        """Ask a route for what is there, as somebody."""
        options: dict[str, Any] = {"headers": self.scene.headers(person)}
        path = {
            Kind.BASE: "/v2/",
            Kind.BLOB: f"/v2/{REPOSITORY}/blobs/{DIGEST}",
            Kind.UPLOADS: f"/v2/{REPOSITORY}/blobs/uploads/",
            Kind.MANIFEST: f"/v2/{REPOSITORY}/manifests/one",
            Kind.TAGS: f"/v2/{REPOSITORY}/tags/list",
            Kind.REFERRERS: f"/v2/{REPOSITORY}/referrers/{IMAGE}",
            Kind.TOKEN: "/registry/token",
            Kind.TOKEN_URL: "/cog/v1/display-token-url",
            Kind.VERIFY_TOKEN: "/cog/v1/verify-token",
        }.get(kind) or await self.upload()
        match kind, method:
            case Kind.MANIFEST, "PUT":
                options |= {"content": MANIFEST, "headers": {**options["headers"], **TYPE}}
            case Kind.UPLOAD, "PUT":
                options |= {"content": BLOB, "params": {"digest": DIGEST}}
            case Kind.UPLOAD, "PATCH":
                options |= {"content": BLOB}
            case Kind.VERIFY_TOKEN, _:
                options |= {"data": {"token": self.scene.tokens.get(person, "nobody's")}}
        return await self.client.request(method, path, **options)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Open a registry with an image, in front of the platform's own accounts and models."""
    async with opened_with_members(tmp_path) as scene:
        services, blobs = scene.platform.services, MemoryBlobs()
        registry = create_registry(
            blobs=blobs,
            uploads=MemoryUploads(blobs),
            repositories=MemoryRepositories(),
            identity=AccountIdentity(services),
            access=ModelAccess(services),
            pushes=RecordedPushes(),
            secret="secret",
        )
        transport = httpx2.ASGITransport(app=Starlette(routes=[Mount("/", registry)]))
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
            headers = scene.headers(Role.OWNER)
            path = f"/v2/{REPOSITORY}"
            sent = await client.post(
                f"{path}/blobs/uploads/", params={"digest": DIGEST}, content=BLOB, headers=headers
            )
            pushed = await client.put(f"{path}/manifests/one", content=MANIFEST, headers={**headers, **TYPE})
            assert (sent.status_code, pushed.status_code) == (201, 201)
            yield Place(scene, client)


def test_every_route_has_a_rule() -> None:
    """A route that nobody thought about fails, and a rule that leaves somebody out."""
    assert set(RULES) == set(ROUTED)
    assert {frozenset(rule) for rule in RULES.values()} == {frozenset(PEOPLE)}


@pytest.mark.parametrize(("kind", "method"), ROUTED, ids=lambda each: getattr(each, "name", each))
async def test_who_may_do_what(place: Place, kind: Kind, method: str) -> None:
    """By an API token, each as far as the role and the token reach."""
    found = {person: (await place.ask(person, kind, method)).status_code for person in PEOPLE}
    assert found == RULES[kind, method]


async def test_what_is_not_to_be_seen_is_as_what_is_not_there(place: Place) -> None:
    """Status and words, but for the name that was asked for; an upload of another repository is none."""
    headers, owner = place.scene.headers("other"), place.scene.headers(Role.OWNER)
    for part in (f"blobs/{DIGEST}", "manifests/one", "tags/list", f"referrers/{IMAGE}"):
        hidden, absent = [
            (await place.client.get(f"/v2/{name}/{part}", headers=headers))
            for name in (REPOSITORY, REPOSITORY.replace("hidden", "absent"))
        ]
        assert (hidden.status_code, hidden.text) == (404, absent.text.replace("absent", "hidden"))
    elsewhere = (await place.upload()).replace("hidden", "another")
    assert (await place.client.get(elsewhere, headers=owner)).status_code == 404


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("anonymous", ""),
        ("other", ""),
        ("read-token", "pull"),
        (str(Role.READER), "pull"),
        (str(Role.WRITER), "pull,push"),
    ],
)
async def test_a_bearer_token_holds_no_more_than_who_asks_for_it(
    place: Place, person: str, expected: str
) -> None:
    """Whatever scope is asked for; and it does no more than it holds."""
    asked = {"scope": f"repository:{REPOSITORY}:pull,push"}
    headers = place.scene.headers(person)
    made = (await place.client.get("/registry/token", params=asked, headers=headers)).json()
    assert made["scope"] == (f"repository:{REPOSITORY}:{expected}" if expected else "")
    bearer = {"Authorization": f"Bearer {made['token']}"}
    path = f"/v2/{REPOSITORY}/manifests/one"
    pulled = await place.client.get(path, headers=bearer)
    pushed = await place.client.put(path, content=MANIFEST, headers={**bearer, **TYPE})
    assert (pulled.status_code == 200) is ("pull" in expected)
    assert (pushed.status_code == 201) is ("push" in expected)
