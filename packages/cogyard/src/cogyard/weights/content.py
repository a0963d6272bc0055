"""The bytes of a layer of weights: as the image store has them, or put together again from this machine's files."""

from __future__ import annotations

from pathlib import Path

from cogyard.oci.descriptor import LAYER, LAYER_GZIP, Descriptor
from cogyard.oci.joined import Joined
from cogyard.oci.layout import ImageStore
from cogyard.weights.artifact import Artifact, WeightLayer
from cogyard.weights.files import WeightFiles
from cogyard.weights.packing import Member, body_of, pack


def layer_content(
    artifact: Artifact, layer: WeightLayer, files: WeightFiles, store: ImageStore
) -> Path | Joined | None:
    """Return a layer's bytes; None where they are not here, and the files make another layer than this one.

    Raises OSError, and the store's errors.
    """
    if store.has(blob_of(layer)):
        return store.path(layer.digest)
    members = _members(artifact, layer)
    if files.missing([each for each in artifact.files if each.layer == layer.digest]):
        return None
    if layer.media_type == LAYER_GZIP:
        ordered = tuple(sorted(members, key=lambda each: each.path.encode()))
        made = pack(ordered, files.path, store, alone=1 << 62).layer.digest
        return store.path(layer.digest) if made == layer.digest else None
    if len(members) != 1:
        return None
    body = body_of(members[0], files.path(members[0].digest))
    return body if body.size == layer.size else None


def is_its_file(artifact: Artifact, layer: WeightLayer, path: Path) -> bool:
    """Say whether a layer, whose bytes are at `path`, is one file as we pack it: then the file is enough to keep."""
    members = _members(artifact, layer)
    if layer.media_type != LAYER or len(members) != 1:
        return False
    head, _file, tail = body_of(members[0], path).parts
    assert isinstance(head, bytes)  # noqa: S101 - for the type: header, file, zeros
    assert isinstance(tail, bytes)  # noqa: S101
    if len(head) + members[0].size + len(tail) != path.stat().st_size:
        return False
    with path.open("rb") as file:
        if file.read(len(head)) != head:
            return False
        file.seek(len(head) + members[0].size)
        return file.read(len(tail)) == tail


def blob_of(layer: WeightLayer) -> Descriptor:
    """Return how a layer stands in a manifest."""
    return Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size)


def _members(artifact: Artifact, layer: WeightLayer) -> tuple[Member, ...]:
    return tuple(
        Member(path=each.path, size=each.size, digest=each.digest)
        for each in artifact.files
        if each.layer == layer.digest
    )
