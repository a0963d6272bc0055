"""What a collection removes, and what it must not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cogyard.registry.collection import GRACE, Collected, collect
from cogyard.testing.blobs import MemoryUploads, digest_of
from cogyard.testing.pushing import push_blob, push_image, put_manifest, small_image

from tests.unit.registry.conftest import Surroundings

pytestmark = pytest.mark.anyio
ALICE = httpx2.BasicAuth("alice", "cyd_alice")
NOTHING = Collected(links=0, blobs=0, size=0)


async def collected(behind: Surroundings, *, after: timedelta) -> Collected:
    """Collect as if so much time had gone by."""
    now = datetime.now(UTC) + after
    return await collect(behind.repositories, behind.blobs, MemoryUploads(behind.blobs), now=now)


async def test_what_a_broken_push_left_goes_after_the_grace_time(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """Not before: its manifest may still come."""
    await push_blob(client, "alice/model", b"half a push", auth=ALICE)
    assert await collected(behind, after=GRACE - timedelta(minutes=1)) == NOTHING
    assert await collected(behind, after=GRACE * 2) == Collected(links=1, blobs=1, size=11)
    assert behind.blobs.content == {}
    assert await collected(behind, after=GRACE * 2) == NOTHING


async def test_an_image_stays_however_old(client: httpx2.AsyncClient, behind: Surroundings) -> None:
    """With its tag, and without one: somebody may run it by its digest."""
    image = small_image()
    await push_image(client, "alice/model", image, "v1", auth=ALICE)
    await client.delete("/v2/alice/model/manifests/v1", auth=ALICE)
    assert await collected(behind, after=timedelta(days=1000)) == NOTHING
    assert (await client.get(f"/v2/alice/model/manifests/{image.digest}", auth=ALICE)).status_code == 200
    assert set(behind.blobs.content) == {digest_of(image.config), digest_of(image.layer)}


async def test_a_deleted_image_gives_its_room_back(client: httpx2.AsyncClient, behind: Surroundings) -> None:
    """But for what another repository has too."""
    image = small_image()
    for name in ("alice/one", "alice/two"):
        await push_image(client, name, image, auth=ALICE)
    await client.delete(f"/v2/alice/one/manifests/{image.digest}", auth=ALICE)
    assert await collected(behind, after=GRACE * 2) == Collected(links=2, blobs=0, size=0)
    await client.delete(f"/v2/alice/two/manifests/{image.digest}", auth=ALICE)
    done = await collected(behind, after=GRACE * 2)
    assert done == Collected(links=2, blobs=2, size=len(image.config) + len(image.layer))


async def test_a_blob_that_a_push_has_asked_for_waits_for_its_manifest(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """A client that hears by HEAD or by a mount that a blob is here sends it no more: it stays for another day."""
    image = small_image()
    await push_blob(client, "alice/model", image.config, auth=ALICE)
    await push_blob(client, "alice/model", image.layer, auth=ALICE)
    old = datetime.now(UTC) - GRACE * 2
    behind.repositories.wanted = dict.fromkeys(behind.repositories.wanted, old)
    behind.blobs.wanted = dict.fromkeys(behind.blobs.wanted, old)
    url = f"/v2/alice/model/blobs/{digest_of(image.config)}"
    assert (await client.head(url, auth=ALICE)).status_code == 200
    params = {"mount": digest_of(image.layer), "from": "alice/model"}
    mounted = await client.post("/v2/alice/model/blobs/uploads/", auth=ALICE, params=params)
    assert mounted.status_code == 201
    assert (await collected(behind, after=timedelta(0))).blobs == 0
    assert (
        await put_manifest(client, "alice/model", image.manifest, "latest", auth=ALICE)
    ).status_code == 201


async def test_reading_keeps_nothing_alive(client: httpx2.AsyncClient, behind: Surroundings) -> None:
    """Whoever reads a blob without an image promises no manifest for it."""
    await push_blob(client, "alice/public", b"x", auth=ALICE)
    behind.repositories.wanted = dict.fromkeys(behind.repositories.wanted, datetime.now(UTC) - GRACE * 2)
    url = f"/v2/alice/public/blobs/{digest_of(b'x')}"
    assert (await client.head(url)).status_code == 200
    assert (await client.get(url, auth=ALICE)).status_code == 200
    assert (await collected(behind, after=timedelta(0))).links == 1


async def test_a_collected_blob_is_asked_for_again(client: httpx2.AsyncClient, behind: Surroundings) -> None:
    """A push that comes after the removal is told so, sends the blob once more, and is whole."""
    image = small_image()
    await push_blob(client, "alice/model", image.layer, auth=ALICE)
    await collected(behind, after=GRACE * 2)
    assert (
        await client.head(f"/v2/alice/model/blobs/{digest_of(image.layer)}", auth=ALICE)
    ).status_code == 404
    await push_blob(client, "alice/model", image.config, auth=ALICE)
    refused = await put_manifest(client, "alice/model", image.manifest, "latest", auth=ALICE)
    assert refused.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
    assert (await push_image(client, "alice/model", image, auth=ALICE)).status_code == 201


async def test_a_manifest_that_names_a_lost_blob_is_refused(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """Listed or not, a blob that is not in the store any more is missed when its manifest comes, and sent again."""
    image = small_image()
    assert (await push_image(client, "alice/model", image, auth=ALICE)).status_code == 201
    await behind.blobs.delete(digest_of(image.layer))
    refused = await put_manifest(client, "alice/model", image.manifest, "latest", auth=ALICE)
    assert refused.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
    assert refused.json()["errors"][0]["detail"] == [{"digest": digest_of(image.layer)}]
    assert (await push_image(client, "alice/model", image, auth=ALICE)).status_code == 201
