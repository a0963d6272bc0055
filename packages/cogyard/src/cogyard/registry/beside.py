"""What stands beside an image in an index: weights, which the index alone joins to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cogyard.domain.blobs import BlobStore
from cogyard.oci.descriptor import INDEX, Descriptor
from cogyard.oci.manifest import Index, encode
from cogyard.registry.manifests import parse_manifest
from cogyard.registry.ports import Manifests, Repositories, StoredManifest
from cogyard.registry.pushes import read_config
from cogyard.weights.artifact import is_entry, read_artifact


class _Index(msgspec.Struct):
    manifests: list[Descriptor] = []


async def weights_beside(
    repositories: Manifests, blobs: BlobStore, repository: str, image: str
) -> Sequence[tuple[bytes, bytes]]:
    """Return (manifest, configuration) of the weights in the newest index that names an image and has some."""
    for index in await repositories.indexes(repository, image):
        entries = [each for each in _entries(index.content) if is_entry(each)]
        found = []
        for each in entries:
            stored = await repositories.manifest(repository, each.digest)
            if stored is not None:
                parsed = parse_manifest(stored.content, stored.media_type)
                found.append((stored.content, await read_config(blobs, parsed)))
        if found:
            return found
    return ()


def blobs_of(documents: Sequence[tuple[bytes, bytes]]) -> Mapping[str, int]:
    """Return the sizes of the blobs that weights cannot do without, by digest."""
    found: dict[str, int] = {}
    for manifest, _config in documents:
        found |= parse_manifest(manifest, None).blobs
    return found


async def bring_weights(
    repositories: Repositories, image: StoredManifest, documents: Sequence[tuple[bytes, bytes]]
) -> None:
    """Put weights beside an image of a repository that has their blobs: of another version, most often."""
    if not documents:
        return
    entries = []
    for manifest, config in documents:
        artifact = read_artifact(manifest, config)
        stored = parse_manifest(manifest, None).stored(image.repository, image.created_at)
        await repositories.put_manifest(stored, tag=artifact.tag())
        entries.append(msgspec.structs.replace(artifact.entry(), digest=stored.digest, size=len(manifest)))
    own = Descriptor(media_type=image.media_type, digest=image.digest, size=len(image.content))
    index = Index(schema_version=2, media_type=INDEX, manifests=[own, *entries])
    parsed = parse_manifest(encode(index), None)
    await repositories.put_manifest(parsed.stored(image.repository, image.created_at), tag=None)


async def names_weights(repositories: Manifests, repository: str, digest: str) -> tuple[str, ...]:
    """Return what an index names besides weights, if it names some; nothing for any other manifest."""
    stored = await repositories.manifest(repository, digest)
    entries = _entries(stored.content) if stored is not None else []
    if not any(is_entry(each) for each in entries):
        return ()
    return tuple(each.digest for each in entries if not is_entry(each))


def _entries(content: bytes) -> list[Descriptor]:
    return msgspec.json.decode(content, type=_Index).manifests  # it was understood when it was pushed
