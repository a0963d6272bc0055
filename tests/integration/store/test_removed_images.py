"""What leaves the registry with a deleted version's image."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cogyard.domain.values import Version, Visibility
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.models.ports import NewModel
from cogyard.oci import descriptor as media
from cogyard.registry.ports import StoredManifest
from cogyard.store.accounts import SqlAccounts
from cogyard.store.models import SqlModels
from cogyard.store.registry import SqlRepositories
from cogyard.testing.blobs import digest_of
from cogyard.testing.database import open_database

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
REPOSITORY = "ann/hello"


@dataclass
class Shelf:
    """A model's repository."""

    models: SqlModels
    repositories: SqlRepositories
    model_id: int

    async def put(
        self,
        name: str,
        *,
        blobs: tuple[str, ...] = (),
        of: tuple[str, ...] = (),
        about: str | None = None,
        tag: str | None = None,
        version: bool = False,
    ) -> str:
        """Put a manifest of that name; return its digest."""
        content = name.encode()
        digest = digest_of(content)
        for blob in blobs:
            await self.repositories.link_blob(REPOSITORY, digest_of(blob.encode()), 1)
        manifest = StoredManifest(
            repository=REPOSITORY,
            digest=digest,
            media_type=media.INDEX if of else media.MANIFEST,
            content=content,
            created_at=NOW,
            artifact_type=None,
            subject=about,
            blobs={digest_of(blob.encode()): 1 for blob in blobs},
            manifests=of,
        )
        assert await self.repositories.put_manifest(manifest, tag=tag) == ()
        if version:
            made = Version(
                id=digest.removeprefix("sha256:"),
                model=REPOSITORY,
                created_at=NOW,
                cog_version="0",
                openapi_schema={},
            )
            await self.models.add_version(self.model_id, made)
        return digest

    async def delete(self, digest: str) -> None:
        """Delete a version."""
        id_ = digest.removeprefix("sha256:")
        assert await self.models.delete_version(self.model_id, id_, lambda _uses: None, NOW)

    async def left(self, *digests: str) -> list[bool]:
        """Return which manifests are there."""
        return [await self.repositories.manifest(REPOSITORY, each) is not None for each in digests]


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    """Return an empty repository."""
    with open_database(tmp_path / "cogyard.db") as database:
        new = NewAccount(
            username="ann", name="Ann", type="user", is_admin=False, password_hash=None, created_at=NOW
        )
        account, models = await SqlAccounts(database).add(new), SqlModels(database)
        model = await models.add(
            NewModel(
                owner_id=account.id,
                name="hello",
                visibility=Visibility.PRIVATE,
                hardware="cpu",
                created_at=NOW,
            )
        )
        clock = NOW - timedelta(days=1)
        yield Shelf(models, SqlRepositories(database, clock=lambda: clock), model.id)


async def test_a_manifest_goes_with_its_tags_and_blobs_that_nobody_else_needs(shelf: Shelf) -> None:
    """The version beside it keeps what both are made of."""
    gone = await shelf.put("gone", blobs=("shared", "alone"), tag="latest", version=True)
    stays = await shelf.put("stays", blobs=("shared", "other"), version=True)
    await shelf.delete(gone)
    assert await shelf.left(gone, stays) == [False, True]
    assert await shelf.repositories.tags(REPOSITORY, limit=9, after=None) == []
    assert await shelf.repositories.unlink_unused(NOW, limit=9) == 1
    sizes = [
        await shelf.repositories.blob_size(REPOSITORY, digest_of(blob))
        for blob in (b"shared", b"alone", b"other")
    ]
    assert sizes == [1, None, 1]


async def test_its_index_goes_too_and_what_only_that_named(shelf: Shelf) -> None:
    """Another platform's image and an attestation go; what has a tag or is in another index stays."""
    gone = await shelf.put("amd64", version=True)
    arm = await shelf.put("arm64", blobs=("arm",))
    tagged = await shelf.put("tagged", tag="arm")
    shared = await shelf.put("shared")
    index = await shelf.put("index", of=(gone, arm, tagged, shared), tag="v1")
    outer = await shelf.put("outer", of=(index,), tag="all")
    other = await shelf.put("other", of=(shared,), tag="v2")
    signature = await shelf.put("signature", about=index)
    await shelf.delete(gone)
    assert await shelf.left(gone, arm, index, outer, signature) == [False] * 5
    assert await shelf.left(tagged, shared, other) == [True] * 3
    assert await shelf.repositories.tags(REPOSITORY, limit=9, after=None) == ["arm", "v2"]


async def test_an_index_in_which_another_version_stands_stays_whole(shelf: Shelf) -> None:
    """With its tag, and what is about it; it all goes with the last version that stands in it."""
    amd = await shelf.put("amd64", tag="v1-amd64", version=True)
    arm = await shelf.put("arm64", tag="v1-arm64", version=True)
    index = await shelf.put("index", of=(amd, arm), tag="v1")
    outer = await shelf.put("outer", of=(index,), tag="all")
    alone = await shelf.put("alone", of=(amd,), tag="only")
    sbom = await shelf.put("sbom", about=amd)
    signature = await shelf.put("signature", about=index)
    await shelf.delete(amd)
    assert await shelf.left(amd, arm, index, outer, sbom, signature) == [True] * 6
    assert await shelf.left(alone) == [False]
    assert await shelf.repositories.tags(REPOSITORY, limit=9, after=None) == ["all", "v1", "v1-arm64"]
    await shelf.delete(arm)
    assert await shelf.left(amd, arm, index, outer, sbom, signature) == [False] * 6
    assert not await shelf.repositories.has_manifests(REPOSITORY)


async def test_deeply_nested_indexes_are_no_trouble(shelf: Shelf) -> None:
    """However deep a stranger has pushed them."""
    gone = await shelf.put("gone", version=True)
    inner = gone
    for depth in range(1500):
        inner = await shelf.put(f"index {depth}", of=(inner,))
    await shelf.delete(gone)
    assert await shelf.left(gone, inner) == [False, False]
    assert not await shelf.repositories.has_manifests(REPOSITORY)
