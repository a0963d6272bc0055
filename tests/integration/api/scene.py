"""A platform with one of everything, all private to one account: a person's or an organization's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cogyard.domain.deployments import Configuration
from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account
from cogyard.features.collections.ports import Collection
from cogyard.features.webhooks.endpoints import Wanted
from cogyard.testing.api import TRAINABLE_SCHEMA, ApiPlatform, add_version

from tests.integration.api import documented

#: The organization, of which `owner` is the only owner.
ORGANIZATION = "acme"

# Bodies are whole, so that only the caller decides.
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
    "deployments.create": {**DEPLOYMENT, "owner": "owner"},
    "tokens.create": {"name": "more"},
    "predictions.webhooks.replay": {},
    "collections.put": {"name": "Chosen"},
    "trainings.create": {"destination": "owner/hidden", "input": {"steps": 1}},
    "deployments.update": {"max_instances": 2},
    "deployments.rollback": {"release": 1},
    "deployments.predictions.create": {"input": {"text": "x"}},
    "models.create": {"owner": "owner", "name": "made", "visibility": "private", "hardware": "cpu"},
    "models.limits.update": {"at_once": 1000},
    "account.retention.update": {"keep_predictions": 3600},
    "models.retention.update": {"keep_predictions": "forever"},
    "deployments.retention.update": {"keep_predictions": None},
    "webhooks.endpoints.create": {"url": "https://ends.test/b"},
    "webhooks.endpoints.update": {"enabled": False},
    "organizations.create": {"username": "founded"},
    "organizations.update": {"name": "Renamed"},
    "organizations.members.put": {"role": "reader"},
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A platform with one of everything, and the parts of addresses that name it."""

    platform: ApiPlatform
    parts: dict[str, dict[str, str]]
    tokens: dict[str, str]
    bodies: dict[str, Any]

    def path(self, operation: str, path: str) -> str:
        """Return a route's address about what belongs to the scene's owner."""
        room = operation.split(".", maxsplit=1)[0]
        return path.format(**{**self.parts["all"], **self.parts.get(room, {})})

    def headers(self, person: str) -> dict[str, str]:
        """Return what a request of somebody's says; of who is not known, nothing."""
        return {"Authorization": f"Bearer {self.tokens[person]}"} if person in self.tokens else {}

    async def ask(
        self, person: str, method: str, path: str, operation: str, *, acting: str | None = None
    ) -> int:
        """Return the status that somebody gets; the answer must be as the API's document says."""
        headers = self.headers(person)
        if acting is not None:
            headers["Cogyard-Account"] = acting
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


@asynccontextmanager
async def opened(folder: Path, *, of: str = "owner") -> AsyncIterator[Scene]:
    """Open a platform where `of` has a private model with a version, a deployment, a file, predictions, a training.

    `owner` owns the organization; with `of` it is whose all the rest is.
    """
    async with ApiPlatform.open(folder) as platform:
        services = platform.services
        made = await services.organizations.create(platform.accounts["owner"], ORGANIZATION)
        for name in ("reader-to-be", "invited"):
            await services.accounts.create(name, name=name)
        await services.organizations.put_member(
            await _fresh(platform, "owner"), ORGANIZATION, "invited", Role.READER
        )
        owner = replace(made, role=Role.OWNER) if of == ORGANIZATION else platform.accounts["owner"]
        parts = await _furnish(platform, owner)
        revoked = await services.accounts.create_token(owner, "revoked")
        newest = (await services.accounts.tokens(owner))[0]
        await services.accounts.revoke(owner, newest.id)
        spare = (await services.accounts.tokens(owner))[-1:]
        scoped = {
            f"{scope}-token": await services.accounts.create_token(owner, scope, scope=scope)
            for scope in Scope
        }
        parts["tokens"] = {"id": str((spare or await services.accounts.tokens(owner))[0].id)}
        bodies = json.loads(
            json.dumps(BODIES).replace('"owner/', f'"{of}/').replace(': "owner"', f': "{of}"')
        )
        bodies["models.examples.add"] = {"prediction": parts["predictions"]["id"]}
        yield Scene(
            bodies=bodies,
            platform=platform,
            parts=parts,
            tokens={**platform.tokens, **scoped, "revoked": revoked},
        )


@asynccontextmanager
async def opened_with_members(folder: Path) -> AsyncIterator[Scene]:
    """Open a platform where everything is the organization's, with `the-ROLE` of each role and `the-removed`."""
    async with opened(folder, of=ORGANIZATION) as found:
        accounts, organizations = found.platform.services.accounts, found.platform.services.organizations
        owner = await _fresh(found.platform, "owner")
        for role in (*Role, "removed"):
            name = f"the-{role}"
            someone = await accounts.create(name, name=name)
            kept = Role.WRITER if role == "removed" else Role(role)
            await organizations.put_member(owner, ORGANIZATION, name, kept)
            await organizations.join(someone, ORGANIZATION)
            found.tokens[role] = await accounts.create_token(someone, "tests")
        await organizations.remove_member(owner, ORGANIZATION, "the-removed")
        yield found


async def _fresh(platform: ApiPlatform, name: str) -> Account:
    found = await platform.services.accounts.get(name)
    assert found is not None
    return found


async def _furnish(platform: ApiPlatform, owner: Account) -> dict[str, dict[str, str]]:
    """Make one of everything, and return what its addresses say."""
    services, name = platform.services, owner.username
    model = await services.models.create(owner, name, "hidden", visibility="private")
    await services.models.update(owner, name, "hidden", readme="Hidden")
    # Who owns a model cannot go: also not the organization, in the scene that is not about it.
    if name != ORGANIZATION:
        await services.models.create(platform.accounts["root"], ORGANIZATION, "kept", visibility="private")
    version = await add_version(services, model, VERSION)
    done = await services.predictions.create(owner, version=version, input={"text": "done"})
    await platform.instance(version.id).run("x")
    await services.predictions.create(owner, version=version, input={"text": "running"})
    claim = await platform.instance(version.id).claim()

    running = {key: value for key, value in DEPLOYMENT.items() if key not in {"name", "model"}}
    await services.deployments.create(owner, "front", model.path, Configuration(**running))
    await services.deployments.predict(owner, name, "front", input={"text": "waits"})

    trainable = await add_version(services, model, "f" * 64, TRAINABLE_SCHEMA)
    training = await services.predictions.create(
        owner, version=trainable, input={"steps": 1}, destination=model.path
    )

    root = platform.accounts["root"]
    await services.collections.put(root, Collection(slug="chosen", name="Chosen", description=""))
    await services.collections.add_model(root, "chosen", name, "hidden")

    async def content() -> AsyncIterator[bytes]:
        yield b"secret"

    endpoint = await services.endpoints.create(owner, Wanted(url="https://ends.test/a"))
    file = await services.files.create(owner, "a.txt", "text/plain", content())
    return {
        "all": {"owner": name, "version": VERSION, "lease": claim.lease_token},
        "files": {"id": file.id, "name": file.name, "token": file.token},
        "delivery": {"name": file.name, "token": file.token},
        "predictions": {"id": done.id},
        "streams": {"token": done.stream_token},
        "models": {"name": "hidden", "id": done.id},
        "deployments": {"name": "front"},
        "webhooks": {"id": endpoint.id},
        "collections": {"name": "hidden", "slug": "chosen"},
        "trainings": {"name": "hidden", "id": training.id, "version": trainable.id},
        "internal": {"name": "out.png"},
        "organizations": {"organization": ORGANIZATION, "username": "invited"},
    }
