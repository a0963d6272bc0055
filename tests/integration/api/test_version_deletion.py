"""Deleting a version over HTTP: what goes with it, and what keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from cogyard.domain.deployments import Configuration, Deployment, Split
from cogyard.domain.values import Visibility
from cogyard.features.deployments.ports import NewDeployment, Next
from cogyard.features.deployments.service import Wanted
from cogyard.http.errors import InvalidError
from cogyard.store.deployments import SqlDeployments
from cogyard.testing.api import TRAINABLE_SCHEMA, ApiPlatform, add_version

pytestmark = pytest.mark.anyio
VERSION = "c" * 64
PATH = f"/v1/models/owner/hidden/versions/{VERSION}"


async def _content() -> AsyncIterator[bytes]:
    yield b"made"


@pytest.fixture
async def hidden(platform: ApiPlatform) -> ApiPlatform:
    """Add a private model with a version."""
    model = await platform.services.models.create(
        platform.accounts["owner"], "owner", "hidden", visibility=Visibility.PRIVATE
    )
    await add_version(platform.services, model, VERSION, TRAINABLE_SCHEMA)
    return platform


async def _predict(platform: ApiPlatform, who: str = "owner") -> str:
    account = platform.accounts[who]
    version = await platform.services.versions.get(platform.accounts["owner"], "owner", "hidden", VERSION)
    made = await platform.services.predictions.create(account, version=version, input={"text": "x"})
    return made.id


async def test_predictions_and_files_go_with_a_version(hidden: ApiPlatform) -> None:
    """202 at once, with no body; soon after nothing of it is left, and others' things are as they were."""
    services, owner = hidden.services, hidden.accounts["owner"]
    made = await _predict(hidden)
    file = await services.files.create(owner, "out.txt", "text/plain", _content(), prediction_id=made)
    await hidden.instance(VERSION).run(f"cogyard-file:{file.token}/{file.name}")
    await hidden.services.predictions.create(owner, version=hidden.version, input={"text": "x"})
    await hidden.instance().run("x")
    async with hidden.client() as client:
        await client.post("/v1/models/owner/hidden/examples", json={"prediction": made})
        assert (await client.get("/v1/models/owner/hidden")).json()["default_example"]["id"] == made
        answer = await client.delete(PATH)
        assert (answer.status_code, answer.content) == (202, b"")
        assert (await client.get(PATH)).status_code == 404
        assert (await client.get("/v1/models/owner/hidden")).json()["latest_version"] is None
        assert await services.removals.sweep() == 1
        await services.files.sweep()
        assert (await client.get(f"/v1/predictions/{made}")).status_code == 404
        assert (await client.get(f"/delivery/{file.token}/{file.name}")).status_code == 404
        assert (await client.get("/v1/models/owner/hidden")).json()["default_example"] is None
        assert len((await client.get("/v1/predictions")).json()["results"]) == 1


async def test_what_keeps_a_version_is_told(hidden: ApiPlatform) -> None:
    """One after the other is put right, and then it goes."""
    services, owner = hidden.services, hidden.accounts["owner"]
    async with hidden.client() as client:

        async def refused(words: str) -> None:
            answer = await client.delete(PATH)
            assert answer.status_code == 409
            assert words in answer.json()["detail"]

        waiting = await _predict(hidden)
        await refused("wait or run")
        await client.post(f"/v1/predictions/{waiting}/cancel")
        configuration = Configuration(version=VERSION, hardware="cpu", min_instances=0, max_instances=1)
        await services.deployments.create(owner, "front", "owner/hidden", configuration)
        await refused("owner/front")
        await services.deployments.delete(owner, "owner", "front")
        await client.patch("/v1/models/owner/hidden", json={"visibility": "public"})
        await refused("public")
        await client.patch("/v1/models/owner/hidden", json={"visibility": "private"})
        assert (await client.delete(PATH)).status_code == 202


async def test_others_predictions_keep_a_version(hidden: ApiPlatform) -> None:
    """They are not the owner's to delete."""
    await _predict(hidden, "other")
    await hidden.instance(VERSION).run("x")
    async with hidden.client() as client:
        answer = await client.delete(PATH)
        assert (answer.status_code, "Somebody else" in answer.text) == (409, True)


@dataclass(frozen=True)
class _Raced(SqlDeployments):
    """A store that a deletion reaches just before each of its changes."""

    platform: ApiPlatform

    async def add(self, new: NewDeployment) -> Deployment:
        """Keep a new deployment."""
        await self._delete()
        return await SqlDeployments(self.database).add(new)

    async def release(self, deployment_id: int, decide: Next, *, now: datetime, by: int) -> Deployment | None:
        """Make the next release."""
        await self._delete()
        return await SqlDeployments(self.database).release(deployment_id, decide, now=now, by=by)

    async def _delete(self) -> None:
        async with self.platform.client() as client:
            assert (await client.delete(PATH)).status_code == 202


@pytest.mark.parametrize("released", [False, True])
async def test_a_deletion_in_between_refuses_a_deployment(hidden: ApiPlatform, *, released: bool) -> None:
    """As for a version that was never there: the caller's look at it and the keeping are two steps."""
    services, owner = hidden.services, hidden.accounts["owner"]
    model = await services.models.get(owner, "owner", "hidden")
    await add_version(services, model, "d" * 64, TRAINABLE_SCHEMA)
    raced = replace(services.deployments, store=_Raced(database=hidden.database, platform=hidden))
    configuration = Configuration(version="d" * 64, hardware="cpu", min_instances=0, max_instances=1)
    if released:
        await services.deployments.create(owner, "front", "owner/hidden", configuration)
        split = Split(version=VERSION, percent=10)
        work = raced.update(owner, "owner", "front", Wanted(split=split, splits=True))
    else:
        work = raced.create(owner, "front", "owner/hidden", replace(configuration, version=VERSION))
    with pytest.raises(InvalidError) as refused:
        await work
    what = f"owner/hidden has no version '{VERSION}', or you may not use it."
    assert refused.value.problems == (("split.version" if released else "version", what),)
    left = [each.release.number for each in await services.deployments.store.current()]
    assert left == ([1] if released else [])


async def test_deleting_goes_on_after_a_restart(hidden: ApiPlatform) -> None:
    """What was noted is found by whoever removes next, without being rung."""
    made = await _predict(hidden)
    await hidden.instance(VERSION).run("x")
    async with hidden.client() as client:
        await client.delete(PATH)
        assert (await client.get(f"/v1/predictions/{made}")).status_code == 200
        (noted,) = await hidden.services.removals.store.removals()
        assert noted.version == VERSION
        await hidden.services.removals.sweep()
        assert (await client.get(f"/v1/predictions/{made}")).status_code == 404
