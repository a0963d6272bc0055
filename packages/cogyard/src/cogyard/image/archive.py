"""An image as one tar that `docker load`, podman, skopeo and containerd all read.

It is an OCI layout and a docker archive at once: both describe the same files under blobs/. Weights are in the layout
only; what reads docker archives passes over them.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import msgspec

from cogyard.image.carried import REFERRERS, Beside
from cogyard.image.expected import index_of, keep
from cogyard.oci.descriptor import INDEX, Descriptor, Platform
from cogyard.oci.joined import Joined, JoinedReader
from cogyard.oci.layout import REF_NAME, ImageStore, StoredImage
from cogyard.oci.manifest import MAX_MANIFEST, Index, Manifest, decode, encode
from cogyard.oci.reference import Reference
from cogyard.weights.artifact import config_of


def write_archive(
    store: ImageStore,
    image: StoredImage,
    out: IO[bytes],
    *,
    without: Container[str] = (),
    beside: Beside | None = None,
) -> None:
    """Write the image into `out`, a file or a pipe; layers whose digest is in `without` are left out.

    Raises FilesMissingError for weights of `beside` that are not here, and the store's errors.
    """
    beside = beside or Beside()
    reference = Reference.parse(image.name)
    manifest = image.manifest
    name = f"{reference.name}:{reference.tag}" if reference.host != "docker.io" else reference.familiar
    own = Descriptor(
        media_type=image.descriptor.media_type, digest=image.descriptor.digest, size=image.descriptor.size
    )
    named = own
    if beside.weights:
        where = Platform(os=image.config.os, architecture=image.config.architecture)
        named = index_of(store, own, where, keep(store, beside.weights), there=image.index)
    entry = {
        "mediaType": named.media_type,
        "digest": named.digest,
        "size": named.size,
        "annotations": {REF_NAME: reference.tag or "latest", "io.containerd.image.name": str(reference)},
    }
    documents: dict[str, Any] = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": [entry]},
        "manifest.json": [
            {
                "Config": _blob(manifest.config.digest),
                "RepoTags": [name],
                "Layers": [_blob(layer.digest) for layer in manifest.layers],
            }
        ],
    }
    if beside.attached:
        listed = [msgspec.structs.replace(each, annotations=None) for each in beside.attached]
        list_of = Index(schema_version=2, media_type=INDEX, manifests=listed)
        documents[REFERRERS] = json.loads(encode(list_of))
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, document in documents.items():
            _bytes(archive, path, json.dumps(document, separators=(",", ":")).encode())
        seen: set[str] = set()
        for each in [*_documents(store, named, beside), own, manifest.config, *manifest.layers]:
            if each.digest in seen or each.digest in without:
                continue
            seen.add(each.digest)
            _file(archive, store, each)
        for each, content in beside.layers(store):
            if each.digest not in seen:
                _add(archive, each, content)


def _documents(store: ImageStore, named: Descriptor, beside: Beside) -> Iterator[Descriptor]:
    """Yield the small blobs that come before the image's: what is said of weights, and what is attached."""
    if beside.weights:
        yield named
    for artifact in beside.weights:
        entry = artifact.entry()
        yield entry
        yield config_of(store.read(entry.digest))
    for each in beside.attached:
        yield each
        document = decode(store.read(each.digest), Manifest, what=each.digest)
        yield from [document.config, *document.layers]


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _bytes(archive: tarfile.TarFile, path: str, data: bytes) -> None:
    import io

    info = tarfile.TarInfo(path)
    info.size, info.mode = len(data), 0o644
    archive.addfile(info, io.BytesIO(data))


def _file(archive: tarfile.TarFile, store: ImageStore, blob: Descriptor) -> None:
    if blob.size < MAX_MANIFEST and not store.has(blob):
        store.read(blob.digest)  # says what is missing
    _add(archive, blob, store.path(blob.digest))


def _add(archive: tarfile.TarFile, blob: Descriptor, content: Path | Joined) -> None:
    info = tarfile.TarInfo(_blob(blob.digest))
    info.size, info.mode = blob.size, 0o644
    with content.open("rb") as file:
        archive.addfile(info, cast("IO[bytes]", _Full(file)))


class _Full:
    """Reads as much as it is asked for: a part of a joined blob ends where a file of it does."""

    def __init__(self, file: BinaryIO | JoinedReader) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        while len(data) < size and (more := self._file.read(size - len(data))):
            data += more
        return data
