"""What every store of files promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cogyard.domain.paging import Window
from cogyard.domain.values import StoredFile

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio


def _file(account_id: int, name: str) -> StoredFile:
    return StoredFile(
        id=f"id-{name}",
        account_id=account_id,
        token=f"token-{name}",
        name=name,
        content_type="text/plain",
        size=3,
        sha256="a" * 64,
        md5="b" * 32,
        created_at=NOW,
        metadata={"k": [1]},
    )


async def test_files_are_found_by_id_and_by_token(stores: Stores) -> None:
    """What was kept comes back whole."""
    file = _file((await stores.account("ann")).id, "a")
    await stores.files.add(file)
    assert await stores.files.get("id-a") == file
    assert await stores.files.by_token("token-a") == file
    assert await stores.files.get("token-a") is None
    assert await stores.files.by_token("id-a") is None


async def test_uploads_are_listed_newest_first(stores: Stores) -> None:
    """What models made is not among them, nor what others sent."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    for name in "abc":
        await stores.files.add(_file(ann.id, name))
    await stores.files.add(replace(_file(ann.id, "made"), prediction_id="p"))
    await stores.files.add(_file(bob.id, "other"))
    first = await stores.files.uploads(ann.id, Window(limit=2))
    assert [file.name for file in first.items] == ["c", "b"]
    second = await stores.files.uploads(ann.id, Window(limit=2, key=first.next))
    assert [file.name for file in second.items] == ["a"]
    assert second.next is None


async def test_contents_are_counted_and_the_expired_are_found(stores: Stores) -> None:
    """A content is kept as long as any file has it."""
    ann = await stores.account("ann")
    await stores.files.add(_file(ann.id, "a"))
    await stores.files.add(replace(_file(ann.id, "b"), expires_at=NOW))
    assert await stores.files.uses("a" * 64) == 2
    assert [file.name for file in await stores.files.expired(NOW, 9)] == ["b"]
    assert await stores.files.expired(NOW - timedelta(seconds=1), 9) == ()
    assert await stores.files.delete("id-b")
    assert not await stores.files.delete("id-b")
    assert await stores.files.uses("a" * 64) == 1
