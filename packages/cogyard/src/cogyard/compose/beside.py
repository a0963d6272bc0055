"""Which weights beside a version are its own: those that its image names, whoever else has the same image.

Theory of operation. An image that several models have is one version, and runs in the same instances for all of them;
an index joins weights to it in each model's repository, and is nobody's word but its owner's. So the image decides: its
lock layer says the digest of each set of files that it expects, and only a set of that digest is taken, from whichever
model has it. An image that says nothing, which this project did not build, has what the owner of its oldest model put
beside it.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from cogyard.domain.blobs import BlobStore
from cogyard.features.versions.ports import VersionStore
from cogyard.instances.errors import ImageRefusedError
from cogyard.instances.image import read_image
from cogyard.oci.forward import ForwardReader, ForwardTarInfo
from cogyard.oci.plain import BROKEN, plain
from cogyard.registry.beside import weights_beside
from cogyard.registry.errors import ManifestInvalidError
from cogyard.registry.ports import Repositories
from cogyard.weights import EXPECTED
from cogyard.weights.artifact import read_artifact, sets_of
from cogyard.weights.errors import ArtifactInvalidError

#: Bytes of a lock layer, as it is sent and unpacked: a lock of a thousand packages has one million.
_MOST = 32 << 20

Documents = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class OwnWeights:
    """Finds (manifest, configuration) of a version's weights."""

    versions: VersionStore
    repositories: Repositories
    blobs: BlobStore

    async def of(self, version: str, image: tuple[bytes, Mapping[str, Any]]) -> Documents:
        """Return the weights of a version whose image has this manifest and configuration."""
        models = [model for model, _ in await self.versions.with_id(version)]
        named = await self._named(version, *image)
        if named is None:
            models = [model for model in models if model.owner == models[0].owner]
        found: dict[str, tuple[bytes, bytes]] = {}
        for model in models:
            beside = await self._beside(model.path, version)
            if named is None and beside:
                return beside
            for documents in beside:
                digest = _set_digest(documents)
                if digest is not None and digest in (named or ()):
                    found.setdefault(digest, documents)
        return tuple(found.values())

    async def _beside(self, repository: str, version: str) -> Documents:
        try:
            return await weights_beside(self.repositories, self.blobs, repository, f"sha256:{version}")
        except (ManifestInvalidError, KeyError):
            # What one owner pushed, or lost, keeps no other's model from its weights.
            return ()

    async def _named(self, version: str, manifest: bytes, config: Mapping[str, Any]) -> frozenset[str] | None:
        """Return the digests of the sets that an image expects, None where it does not say."""
        try:
            layers = read_image(version, manifest, config).of_kind("lock")
        except ImageRefusedError:
            return None
        if not layers or layers[-1].size > _MOST:
            return None
        try:
            data = b"".join([chunk async for chunk in self.blobs.read(layers[-1].digest)])
        except KeyError:
            return frozenset()
        document = await asyncio.to_thread(_document, data)
        return None if document is None else sets_of(document)


def _set_digest(documents: tuple[bytes, bytes]) -> str | None:
    try:
        return read_artifact(*documents).set_digest
    except ArtifactInvalidError:
        # Of another's making, perhaps; whoever expects it is told that it is not there.
        return None


def _document(layer: bytes) -> bytes | None:
    """Return what a lock layer, which a stranger made, says of weights."""
    try:
        reader = ForwardReader(plain(io.BytesIO(layer)), _MOST, refuse=_Refused, too_large=_Refused)
        with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r:", tarinfo=ForwardTarInfo) as archive:
            for member in archive:
                if member.isreg() and member.name.removeprefix("./") == EXPECTED:
                    file = archive.extractfile(member)
                    return None if file is None else b"".join(_pieces(file))
    except BROKEN:
        return None
    except _Refused:
        return None
    return None


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    # A ForwardReader gives no large one at once.
    while piece := file.read(1 << 16):
        yield piece


class _Refused(Exception):  # noqa: N818 - seen by nobody
    """It is no honest archive."""
