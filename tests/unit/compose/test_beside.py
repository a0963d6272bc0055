"""Whose weights a version runs with: those that its image names, whoever else has the image."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cogyard.compose.registry import PushedImages
from cogyard.domain.values import Version, Visibility
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.models.ports import NewModel
from cogyard.oci import descriptor as media
from cogyard.oci.manifest import Index, encode
from cogyard.registry.manifests import parse_manifest
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.blobs import MemoryBlobs
from cogyard.testing.images import TestImage, make_image
from cogyard.testing.models import MemoryModels
from cogyard.testing.registry import MemoryRepositories
from cogyard.testing.weights import declared, import_weights
from cogyard.weights.artifact import Artifact, expected, read_artifact

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _weights(content: bytes) -> Artifact:
    with tempfile.TemporaryDirectory() as folder:
        return import_weights(Path(folder), {"net.bin": content})[0]


MINE, THEIRS = _weights(b"mine"), _weights(b"theirs")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


@dataclass
class Scene:
    """Models of several owners, the oldest first, and their repositories."""

    models: MemoryModels = field(default_factory=lambda: MemoryModels(MemoryAccounts()))
    repositories: MemoryRepositories = field(default_factory=MemoryRepositories)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    made: int = 0

    async def push(self, owner: str, image: TestImage, weights: Artifact | None) -> None:
        """Push an image to a new model of an owner, with weights beside it."""
        self.made += 1
        at, path = NOW + timedelta(minutes=self.made), f"{owner}/m"
        account = await self.models.accounts.add(
            NewAccount(
                username=owner, name=owner, type="user", is_admin=False, password_hash=None, created_at=at
            )
        )
        model = await self.models.add(
            NewModel(
                owner_id=account.id, name="m", visibility=Visibility.PRIVATE, hardware="cpu", created_at=at
            )
        )
        made = Version(id=image.version, model=path, created_at=at, cog_version="0", openapi_schema={})
        await self.models.add_version(model.id, made)
        await self._manifest(path, image.manifest, *image.blobs.values())
        if weights is not None:
            await self._manifest(path, weights.manifest(), weights.config())
            own = media.Descriptor(media_type=media.MANIFEST, digest=image.digest, size=len(image.manifest))
            entries = [own, weights.entry()]
            index = Index(schema_version=2, media_type=media.INDEX, manifests=entries)
            await self._manifest(path, encode(index))

    async def _manifest(self, path: str, data: bytes, *blobs: bytes) -> None:
        for blob in blobs:
            await self.blobs.write(_once(blob))
        stored = parse_manifest(data, None).stored(path, NOW)
        for digest, size in stored.blobs.items():
            await self.repositories.link_blob(path, digest, size)
        assert await self.repositories.put_manifest(stored, tag=None) == ()

    async def found(self, image: TestImage) -> list[str]:
        """Return the set digests of the weights that a version runs with."""
        images = PushedImages(self.models, self.repositories, self.blobs)
        return [read_artifact(*each).set_digest for each in await images.beside(image.version)]


def _image(*, says: Artifact | None) -> TestImage:
    return make_image(cog=declared(MINE), expects=None if says is None else expected([says]))


@pytest.mark.parametrize("before", [THEIRS, None])
async def test_another_s_copy_of_an_image_brings_no_weights_of_its_own(before: Artifact | None) -> None:
    """Older or newer than mine: an index says what its owner likes, and the image what was meant."""
    scene, image = Scene(), _image(says=MINE)
    await scene.push("ann", image, before)
    await scene.push("bob", image, MINE)
    await scene.push("cleo", image, THEIRS)
    assert await scene.found(image) == [MINE.set_digest]


async def test_weights_that_an_image_does_not_name_are_not_taken() -> None:
    """The version is refused then, in words, by whoever runs it."""
    scene, image = Scene(), _image(says=MINE)
    await scene.push("bob", image, THEIRS)
    assert await scene.found(image) == []


async def test_an_image_that_names_none_has_its_first_owner_s() -> None:
    """What others put beside their copies does not count, though the first put nothing there."""
    scene, image = Scene(), _image(says=None)
    await scene.push("bob", image, None)
    await scene.push("cleo", image, THEIRS)
    assert await scene.found(image) == []
    other = make_image(cog=declared(MINE), python="3.12")
    scene = Scene()
    await scene.push("bob", other, MINE)
    await scene.push("cleo", other, THEIRS)
    assert await scene.found(other) == [MINE.set_digest]


@pytest.mark.parametrize("document", [b"\xff", b"{}", b'{"weights": [{"name": "base"}]}', b"[" * 100_000])
async def test_a_document_that_cannot_be_read_names_none(document: bytes) -> None:
    """It is a stranger's; then the image is as one that says nothing."""
    scene, image = Scene(), make_image(cog=declared(MINE), expects=document)
    await scene.push("bob", image, MINE)
    assert await scene.found(image) == [MINE.set_digest]
