"""An account's repositories hold no more than they may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import push_blob

from tests.unit.registry.conftest import Surroundings, speaking

pytestmark = pytest.mark.anyio
ALICE = httpx2.BasicAuth("alice", "cyd_alice")
BOB = httpx2.BasicAuth("bob", "cyd_bob")
QUOTA = 1000


@pytest.fixture
async def client(behind: Surroundings) -> AsyncIterator[httpx2.AsyncClient]:
    """Speak to a registry with a quota of 1000 bytes an account, and 600 a blob."""
    async with speaking(behind, max_blob=600, quota=QUOTA) as client:
        yield client


def refusal(answer: httpx2.Response) -> tuple[int, str, object]:
    """Return status, code and detail."""
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error.get("detail")


async def test_the_quota_can_be_filled_and_not_passed(client: httpx2.AsyncClient) -> None:
    """The refusal says whose, how much is held and how much may be, and other accounts have their own."""
    assert (await push_blob(client, "alice/a", bytes(600), auth=ALICE)).status_code == 201
    assert (await push_blob(client, "alice/b", bytes(400), auth=ALICE)).status_code == 201
    answer = await client.post("/v2/alice/c/blobs/uploads/", auth=ALICE)
    assert refusal(answer) == (403, "DENIED", {"held": 1000, "quota": QUOTA})
    message = answer.json()["errors"][0]["message"]
    assert "alice" in message
    assert "Delete" in message
    assert (await push_blob(client, "bob/a", bytes(600), auth=BOB)).status_code == 201


async def test_what_is_announced_is_refused_before_it_comes(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """By a whole POST, and by the last PUT of an upload; nothing is kept."""
    await push_blob(client, "alice/a", bytes(600), auth=ALICE)
    large = b"x" * 500
    params = {"digest": digest_of(large)}
    answer = await client.post("/v2/alice/b/blobs/uploads/", auth=ALICE, params=params, content=large)
    assert refusal(answer)[:2] == (403, "DENIED")
    begun = await client.post("/v2/alice/b/blobs/uploads/", auth=ALICE)
    answer = await client.put(begun.headers["location"], auth=ALICE, params=params, content=large)
    assert refusal(answer)[:2] == (403, "DENIED")
    assert set(behind.blobs.content) == {digest_of(bytes(600))}


async def test_what_is_not_announced_is_cut_off_at_the_limit(client: httpx2.AsyncClient) -> None:
    """In chunks of unknown length: the quota where it is the lower limit, the blob's limit where that is."""

    async def endless(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 100):
            yield bytes(100)

    begun = await client.post("/v2/alice/a/blobs/uploads/", auth=ALICE)
    answer = await client.patch(begun.headers["location"], auth=ALICE, content=endless(700))
    assert refusal(answer) == (413, "SIZE_INVALID", {"limit": 600})
    await push_blob(client, "alice/a", bytes(600), auth=ALICE)
    begun = await client.post("/v2/alice/a/blobs/uploads/", auth=ALICE)
    answer = await client.patch(begun.headers["location"], auth=ALICE, content=endless(500))
    assert refusal(answer)[:2] == (403, "DENIED")
    assert "600 are of pushes that did not end" in answer.json()["errors"][0]["message"]


async def test_open_uploads_count(client: httpx2.AsyncClient) -> None:
    """Many uploads that are never finished do not fill the disk; a cancelled one gives its room back."""
    begun = [await client.post("/v2/alice/a/blobs/uploads/", auth=ALICE) for _ in range(3)]
    where = [each.headers["location"] for each in begun]
    for each in where[:2]:
        assert (await client.patch(each, auth=ALICE, content=bytes(450))).status_code == 202
    assert refusal(await client.patch(where[2], auth=ALICE, content=bytes(450)))[:2] == (403, "DENIED")
    await client.delete(where[0], auth=ALICE)
    assert (await client.patch(where[2], auth=ALICE, content=bytes(450))).status_code == 202


async def test_the_same_layer_counts_once(client: httpx2.AsyncClient) -> None:
    """Mounted into the owner's other models it takes no more room."""
    await push_blob(client, "alice/a", bytes(600), auth=ALICE)
    await push_blob(client, "alice/a", bytes(400), auth=ALICE)
    params = {"mount": digest_of(bytes(600)), "from": "alice/a"}
    for name in ("b", "c"):
        answer = await client.post(f"/v2/alice/{name}/blobs/uploads/", auth=ALICE, params=params)
        assert answer.status_code == 201


async def test_another_owner_s_layer_counts_for_who_mounts_it(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """Or a quota could be passed by way of a friend."""
    behind.people.models["alice/public"] = True
    await push_blob(client, "alice/public", bytes(600), auth=ALICE)
    await push_blob(client, "bob/a", b"x" * 500, auth=BOB)
    params = {"mount": digest_of(bytes(600)), "from": "alice/public"}
    answer = await client.post("/v2/bob/a/blobs/uploads/", auth=BOB, params=params)
    assert refusal(answer)[:2] == (403, "DENIED")


async def test_what_did_not_become_an_image_is_told_and_comes_free(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """Somebody who was refused has nothing to delete then; an hour later no push can go on with it."""
    await push_blob(client, "alice/a", bytes(600), auth=ALICE)
    answer = await push_blob(client, "alice/a", b"x" * 500, auth=ALICE)
    message = answer.json()["errors"][0]["message"]
    assert "hold 600 of the 1000 bytes they may hold, and 500 more were to come." in message
    assert "600 are of pushes that did not end" in message
    behind.repositories.clock = lambda: datetime.now(UTC) - timedelta(minutes=61)
    await behind.repositories.renew_blob("alice/a", digest_of(bytes(600)))
    assert (await push_blob(client, "alice/b", b"x" * 500, auth=ALICE)).status_code == 201
    assert await behind.repositories.blob_size("alice/a", digest_of(bytes(600))) is None


async def test_uploads_side_by_side_leave_no_blob_that_is_nobodys(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """Each had room when it began and together they have none: what is refused is dropped, bytes and all."""
    begun = [await client.post("/v2/alice/a/blobs/uploads/", auth=ALICE) for _ in range(2)]
    first, second = (each.headers["location"] for each in begun)
    for where, size in ((first, 500), (second, 450)):
        await client.patch(where, auth=ALICE, content=bytes(size))
    await behind.repositories.link_blob("alice/b", digest_of(b"elsewhere"), 100)
    answer = await client.put(first, auth=ALICE, params={"digest": digest_of(bytes(500))})
    assert refusal(answer) == (403, "DENIED", {"held": 1050, "quota": QUOTA})
    assert digest_of(bytes(500)) not in behind.blobs.content
    assert (await client.get(first, auth=ALICE)).status_code == 404
    answer = await client.put(second, auth=ALICE, params={"digest": digest_of(bytes(450))})
    assert answer.status_code == 201


async def test_room_is_made_for_a_layer_of_unknown_length(
    client: httpx2.AsyncClient, behind: Surroundings
) -> None:
    """As docker sends them: there is room for the first byte, and only then is the layer too large."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 100

    behind.repositories.clock = lambda: datetime.now(UTC) - timedelta(minutes=61)
    await push_blob(client, "alice/a", bytes(600), auth=ALICE)
    begun = await client.post("/v2/alice/b/blobs/uploads/", auth=ALICE)
    answer = await client.patch(begun.headers["location"], auth=ALICE, content=chunks())
    assert answer.status_code == 202


async def test_what_was_sent_of_layers_that_did_not_end_comes_free_too(
    client: httpx2.AsyncClient, behind: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is refused one layer breaks off the others, and leaves what it had sent of them."""
    begun = await client.post("/v2/alice/a/blobs/uploads/", auth=ALICE)
    await client.patch(begun.headers["location"], auth=ALICE, content=bytes(600))
    answer = await push_blob(client, "alice/b", b"x" * 500, auth=ALICE)
    assert "600 are of pushes that did not end" in answer.json()["errors"][0]["message"]
    # An hour passes for the registry, which has no other clock to be given here.
    monkeypatch.setattr("cogyard.registry.room.LEAST_GRACE", timedelta(hours=-1))
    assert (await push_blob(client, "alice/b", b"x" * 500, auth=ALICE)).status_code == 201
    assert (await client.get(begun.headers["location"], auth=ALICE)).status_code == 404
