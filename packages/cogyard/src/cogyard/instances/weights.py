"""The weights that stand beside a version's image: their files on this machine once, a folder of links for each set.

Runtimes mount the folder read-only, or link its files into a project; nothing is copied, and versions and models that
have the same weights share it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cogyard.domain.blobs import BlobStore
from cogyard.errors import CogyardError
from cogyard.instances.errors import ImageRefusedError, PrepareFailedError
from cogyard.instances.image import Image
from cogyard.instances.layers import blob_file
from cogyard.instances.runtime import Progress
from cogyard.weights.artifact import Artifact, read_artifact
from cogyard.weights.errors import ArtifactInvalidError
from cogyard.weights.files import WeightFiles
from cogyard.weights.unpack import take_layer

#: The disk also holds the database.
_RESERVE = 512 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A folder with a set of weights, and where a model finds it."""

    name: str
    folder: Path
    target: str


class BesideSource(Protocol):
    """Where the weights beside a version are looked up."""

    async def beside(self, version: str) -> Sequence[tuple[bytes, bytes]]:
        """Return (manifest, configuration) of each set of weights that a version came with."""
        ...


class WeightsOf(Protocol):
    """Gives a version's weights to a runtime."""

    async def place(self, image: Image, progress: Progress) -> tuple[Placed, ...]:
        """Have the weights of an image on this machine. Raises ImageRefusedError, PrepareFailedError."""
        ...


class NoWeights:
    """Where nothing keeps weights: an image that expects some is refused."""

    async def place(self, image: Image, progress: Progress) -> tuple[Placed, ...]:
        """Return nothing, for an image that expects nothing."""
        del progress
        if expects(image):
            raise ImageRefusedError(f"Version {image.version} expects weights, and none are kept here.")
        return ()


class WeightsCache:
    """Weights from the registry's own storage."""

    def __init__(self, files: WeightFiles, blobs: BlobStore, source: BesideSource) -> None:
        self._files = files
        self._blobs = blobs
        self._source = source
        self._busy: dict[str, asyncio.Lock] = {}

    async def place(self, image: Image, progress: Progress) -> tuple[Placed, ...]:
        """Unpack what is not here yet, and return where every set is."""
        wanted = expects(image)
        if not wanted:
            return ()
        found = await self._artifacts(image)
        if lacking := sorted(set(wanted) - set(found)):
            raise ImageRefusedError(
                f"Version {image.version} expects the weights {', '.join(lacking)[:200]}, which did not come with it.",
                hint="Push it with `cog push`, which sends the weights and the index that names them.",
            )
        return tuple([await self._place(found[name], wanted[name], progress) for name in wanted])

    async def _artifacts(self, image: Image) -> Mapping[str, Artifact]:
        try:
            documents = await self._source.beside(image.version)
            artifacts = [read_artifact(manifest, config) for manifest, config in documents]
        except ArtifactInvalidError as error:
            raise ImageRefusedError(f"The weights of version {image.version}: {error.message}.") from error
        return {each.name: each for each in reversed(artifacts)}  # the first of a name counts

    async def _place(self, artifact: Artifact, target: str, progress: Progress) -> Placed:
        if artifact.target != target:
            raise ImageRefusedError(
                f"The weights {artifact.name} are for {artifact.target[:100]}, "
                f"and their image expects them at {target[:100]}."
            )
        async with self._busy.setdefault(artifact.set_digest, asyncio.Lock()):
            try:
                await self._unpack(artifact, progress)
                folder = await asyncio.to_thread(self._files.folder, artifact.files)
            except ArtifactInvalidError as error:
                raise ImageRefusedError(f"The weights {artifact.name}: {error.message}.") from error
            except OSError as error:
                raise PrepareFailedError(
                    f"The weights {artifact.name} could not be unpacked: {error.strerror}."
                ) from error
            except CogyardError as error:
                if isinstance(error, ImageRefusedError | PrepareFailedError):
                    raise
                raise PrepareFailedError(f"The weights {artifact.name}: {error.message}.") from error
        self._busy.pop(artifact.set_digest, None)
        return Placed(name=artifact.name, folder=folder, target=target)

    async def _unpack(self, artifact: Artifact, progress: Progress) -> None:
        lacking = await asyncio.to_thread(self._files.missing, artifact.files)
        if not lacking:
            return
        progress(f"unpacking the weights {artifact.name}")
        self._files.root.mkdir(parents=True, exist_ok=True)
        needed, free = sum(each.size for each in lacking), shutil.disk_usage(self._files.root).free
        if needed > free - _RESERVE:
            raise PrepareFailedError(
                f"The weights {artifact.name} need {needed} more bytes on the platform's disk, which has {free}; "
                f"{_RESERVE >> 20} MiB always stay free.",
                hint="The operator must make room there, or give the platform a larger disk.",
            )
        for digest in dict.fromkeys(each.layer for each in lacking):
            with tempfile.TemporaryDirectory(prefix="unfinished-", dir=self._files.root) as work:
                blob = await blob_file(self._blobs, digest, Path(work))
                await asyncio.to_thread(self._take, blob, digest, artifact)

    def _take(self, blob: Path, digest: str, artifact: Artifact) -> None:
        with blob.open("rb") as stream:
            take_layer(stream, digest, artifact, self._files)


def expects(image: Image) -> Mapping[str, str]:
    """Return the targets of the weights that an image's cog.yaml declares, by name."""
    declared = image.cog_config.get("weights")
    found = {}
    for each in declared if isinstance(declared, list) else []:
        if (
            isinstance(each, Mapping)
            and isinstance(each.get("name"), str)
            and isinstance(each.get("target"), str)
        ):
            found[each["name"]] = each["target"]
    return found
