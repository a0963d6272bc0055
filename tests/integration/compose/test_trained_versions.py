"""A version that a training makes is held to the quota of its destination, whoever owns what was trained."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cogyard.blobs.local import LocalBlobs
from cogyard.compose.trainings import TrainedVersions
from cogyard.domain.values import Prediction, Status
from cogyard.features.trainings.ports import CannotMakeVersionError, Weights
from cogyard.registry.manifests import parse_manifest
from cogyard.store.registry import SqlRepositories
from cogyard.testing.api import ApiPlatform
from cogyard.testing.images import TestImage, TestVersions, make_image
from cogyard.testing.weights import import_weights
from cogyard.weights.artifact import Artifact

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 26, tzinfo=UTC)


@dataclass(frozen=True)
class _Source:
    """An image with weights beside it."""

    image: TestImage
    weights: Artifact

    async def manifest(self, version: str) -> tuple[bytes, Mapping[str, Any]]:
        """Return the image's."""
        return await TestVersions(self.image).manifest(version)

    async def beside(self, version: str) -> Sequence[tuple[bytes, bytes]]:
        """Return the weights."""
        del version
        return [(self.weights.manifest(), self.weights.config())]


def _brought(source: _Source) -> int:
    """Return the bytes that a training brings along, whatever else its version has."""
    layers = sum(each.size for each in parse_manifest(source.image.manifest, None).document.layers)
    return layers + sum(parse_manifest(source.weights.manifest(), None).blobs.values())


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[ApiPlatform]:
    """Open a platform."""
    async with ApiPlatform.open(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("fits", [True, False])
async def test_what_a_training_brings_along_counts(
    platform: ApiPlatform, tmp_path: Path, *, fits: bool
) -> None:
    """Layers and weights of another's model: without room for both nothing is made, and the reason is told."""
    other = platform.accounts["other"]
    await platform.services.models.create(other, "other", "tuned", visibility="private")
    weights, _store = import_weights(tmp_path / "import", {"net.bin": b"learned " * 1000})
    source = _Source(make_image(), weights)
    with closing(LocalBlobs.open(tmp_path / "images")) as blobs:
        await source.image.put(blobs)
        repositories = SqlRepositories(platform.database)
        brought = _brought(source)
        maker = TrainedVersions(
            services=platform.services,
            sources=source,
            repositories=repositories,
            blobs=blobs,
            scratch=tmp_path,
            quota=brought + (100_000 if fits else -1),
        )
        training = Prediction(
            id="t" * 26,
            model="owner/echo",
            version=source.image.version,
            account_id=other.id,
            status=Status.SUCCEEDED,
            input={},
            created_at=NOW,
            stream_token="s" * 32,
            destination="other/tuned",
        )
        asked = Weights(address="https://weights.test/net.bin")
        if fits:
            made = await maker.make(training, asked)
            assert made.model == "other/tuned"
            assert await repositories.held("other") > brought
            return
        with pytest.raises(CannotMakeVersionError, match=f"of the {brought - 1} bytes they may hold") as told:
            await maker.make(training, asked)
        assert "The repositories of other" in str(told.value)
        assert await repositories.held("other") < brought
        assert not await repositories.has_manifests("other/tuned")
        assert (await platform.services.models.get(other, "other", "tuned")).latest_version is None
