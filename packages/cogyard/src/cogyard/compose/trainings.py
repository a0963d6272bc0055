"""Versions made of trainings: the trained version's image, one more layer with the weights, and where they lie.

An image of the destination like any other: it can be pulled, run elsewhere and trained further. Weights at an address
elsewhere make no layer: the image says the address.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from cogyard.compose.registry import VersionsFromPushes
from cogyard.domain.blobs import BlobError, BlobStore
from cogyard.domain.fileref import safe_name
from cogyard.domain.values import Account, Prediction, StoredFile, Version
from cogyard.features.services import Services
from cogyard.features.trainings.ports import CannotMakeVersionError, Weights
from cogyard.http.errors import ApiError, NotFoundError
from cogyard.instances.image import LAYER_KIND, LAYER_KINDS
from cogyard.instances.weights import BesideSource
from cogyard.instances.work import VersionSource
from cogyard.oci import descriptor as media
from cogyard.oci import digest as digests
from cogyard.oci.layer import LayerSummary, LayerWriter
from cogyard.registry.beside import blobs_of, bring_weights
from cogyard.registry.errors import QuotaExceededError
from cogyard.registry.manifests import parse_manifest
from cogyard.registry.ports import QuotaReachedError, Repositories
from cogyard.registry.pushes import describe_push

#: Below the project's folder, where no project has files of its own; `setup(weights)` gets the path from the project.
FOLDER = ".cog/trained"
_CHUNK = 1 << 20


class TrainedSource(VersionSource, BesideSource, Protocol):
    """Where the trained version's image is, and the weights beside it."""


@dataclass(frozen=True, kw_only=True)
class TrainedVersions:
    """Makes versions over the registry's store. `scratch` is a folder for layers in the making.

    `quota` bounds what the repositories of one account hold, in bytes, as it does for pushes.
    """

    services: Services
    sources: TrainedSource
    repositories: Repositories
    blobs: BlobStore
    scratch: Path
    quota: int | None = None

    async def make(self, training: Prediction, weights: Weights) -> Version:
        """Make the image and write it down as a push of the training's account would."""
        try:
            return await self._make(training, weights)
        except KeyError as error:
            raise CannotMakeVersionError(f"The image of version {training.version} is gone.") from error
        except ApiError as error:
            raise CannotMakeVersionError(error.message) from error
        except BlobError as error:
            raise CannotMakeVersionError(f"The new version could not be kept: {error.message}") from error

    async def _make(self, training: Prediction, weights: Weights) -> Version:
        account = await self.services.accounts.by_id(training.account_id)
        if account is None or training.destination is None:
            raise CannotMakeVersionError("The training has no destination any more.")
        owner, _, name = training.destination.partition("/")
        try:
            model = await self.services.models.get(account, owner, name)
        except NotFoundError as error:
            raise CannotMakeVersionError(f"The destination {training.destination} is gone.") from error
        content, config = await self.sources.manifest(training.version)
        image = _Image(manifest=msgspec.json.decode(content), config=dict(config))
        if weights.token is None:
            image.set_weights(weights.address)
        else:
            file = await self.services.files.open(weights.token)
            image.add(await self._layer(file), f"{FOLDER}/{safe_name(file.name, 'weights')}")
        beside = await self.sources.beside(training.version)
        digest = await self._keep(model.path, image, account, beside)
        return await self.services.versions.get(account, owner, name, digest.removeprefix("sha256:"))

    async def _layer(self, file: StoredFile) -> LayerSummary:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            plain, packed = Path(folder) / "weights", Path(folder) / "layer"
            with plain.open("wb") as sink:
                async for chunk in self.services.files.read(file):
                    sink.write(chunk)
            path = f"src/{FOLDER}/{safe_name(file.name, 'weights')}"
            summary = await asyncio.to_thread(_written, packed, path, plain, file.size)
            await self.blobs.write(_chunks(packed), expected=summary.digest)
        return summary

    async def _keep(
        self,
        repository: str,
        image: _Image,
        account: Account,
        beside: Sequence[tuple[bytes, bytes]],
    ) -> str:
        config = msgspec.json.encode(image.config)
        image.manifest["config"] = {
            **image.manifest["config"],
            "digest": digests.of(config),
            "size": len(config),
        }
        await self.blobs.write(_once(config))
        parsed = parse_manifest(msgspec.json.encode(image.manifest), None)
        stored = parsed.stored(repository, datetime.now(UTC))
        await self._link(repository, {**stored.blobs, **blobs_of(beside)})
        push = await describe_push(self.blobs, parsed, repository=repository, account=account, tag=None)
        missing = await self.repositories.put_manifest(stored, tag=None)
        if missing or push is None:
            raise CannotMakeVersionError(f"The image of the new version lacks {missing or 'its config'}.")
        await bring_weights(self.repositories, stored, beside)
        await VersionsFromPushes(self.services).pushed(push)
        return parsed.digest

    async def _link(self, repository: str, blobs: Mapping[str, int]) -> None:
        """Let the destination have the trained version's layers and weights, if there is room for them."""
        owner = repository.partition("/")[0]
        try:
            # The largest first: what does not fit leaves little behind for the collection.
            for digest, size in sorted(blobs.items(), key=lambda each: each[1], reverse=True):
                await self.repositories.link_blob(repository, digest, size, quota=self.quota)
        except QuotaReachedError as error:
            full = QuotaExceededError(owner=owner, held=error.held, quota=error.quota)
            raise CannotMakeVersionError(
                f"There is no room for the new version. {full.message} {full.hint}"
            ) from error


@dataclass(frozen=True, kw_only=True)
class _Image:
    """A manifest and a config as plain JSON, so that what strangers wrote into them stays as it is."""

    manifest: dict[str, Any]
    config: dict[str, Any]

    def add(self, layer: LayerSummary, path: str) -> None:
        """Add a layer with weights at a path from the project's folder."""
        docker = self.manifest["config"].get("mediaType") == media.DOCKER_CONFIG
        described = {
            "mediaType": media.DOCKER_LAYER_GZIP if docker else media.LAYER_GZIP,
            "digest": layer.digest,
            "size": layer.size,
            "annotations": {LAYER_KIND: "weights"},
        }
        rootfs = self.config.get("rootfs") or {}
        diff_ids = [*(rootfs.get("diff_ids") or ()), layer.diff_id]
        self.config["rootfs"] = {**rootfs, "type": "layers", "diff_ids": diff_ids}
        if self.config.get("history"):
            self.config["history"] = [*self.config["history"], {"created_by": "training"}]
        self.manifest["layers"] = [*self.manifest["layers"], described]
        self._label_kind(layer.diff_id)
        self.set_weights(path)

    def set_weights(self, where: str) -> None:
        """Say where `setup(weights)` finds the weights."""
        section = dict(self.config.get("config") or {})
        kept = [each for each in section.get("Env") or () if not str(each).startswith("COG_WEIGHTS=")]
        section["Env"] = [*kept, f"COG_WEIGHTS={where}"]
        self.config["config"] = section

    def _label_kind(self, diff_id: str) -> None:
        section = dict(self.config.get("config") or {})
        labels: Mapping[str, str] = section.get("Labels") or {}
        if LAYER_KINDS in labels:
            kinds = {**msgspec.json.decode(labels[LAYER_KINDS], type=dict[str, str]), diff_id: "weights"}
            section["Labels"] = {**labels, LAYER_KINDS: msgspec.json.encode(kinds).decode()}
            self.config["config"] = section


def _written(target: Path, path: str, source: Path, size: int) -> LayerSummary:
    def read() -> Iterator[bytes]:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    with target.open("wb") as sink:
        writer = LayerWriter(sink)
        # Trained weights are noise to a compressor.
        writer.stream(path, read(), size, packed=False)
        return writer.finish()


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
