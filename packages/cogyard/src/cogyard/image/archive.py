"""Images as one tar that `docker load`, podman, skopeo and containerd all read.

It is an OCI layout and a docker archive at once: both describe the same files under blobs/. Weights are in the layout
only; what reads docker archives passes over them.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Self, cast

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
    write_archive_of(store, [(image, beside or Beside())], out, without=without)


def write_archive_of(
    store: ImageStore,
    images: Sequence[tuple[StoredImage, Beside]],
    out: IO[bytes],
    *,
    without: Container[str] = (),
) -> None:
    """Write several images into `out`, with what stands beside each; what they share is in it once.

    Raises as `write_archive` does.
    """
    entries = [_Entry.of(store, image, beside) for image, beside in images]
    documents: dict[str, Any] = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": [each.in_layout() for each in entries]},
        "manifest.json": [each.in_docker() for each in entries],
    }
    attached = {one.digest: one for each in entries for one in each.beside.attached}
    if attached:
        listed = [msgspec.structs.replace(each, annotations=None) for each in attached.values()]
        list_of = Index(schema_version=2, media_type=INDEX, manifests=listed)
        documents[REFERRERS] = json.loads(encode(list_of))
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, document in documents.items():
            _bytes(archive, path, json.dumps(document, separators=(",", ":")).encode())
        seen: set[str] = set()
        for entry in entries:
            manifest = entry.image.manifest
            small = _documents(store, entry.named, entry.beside)
            for each in [*small, entry.own, manifest.config, *manifest.layers]:
                if each.digest not in seen and each.digest not in without:
                    seen.add(each.digest)
                    _file(archive, store, each)
        for entry in entries:
            for each, content in entry.beside.layers(store):
                if each.digest not in seen:
                    seen.add(each.digest)
                    _add(archive, each, content)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """One image of an archive. `named` is its index where weights stand beside it, and otherwise its own manifest."""

    image: StoredImage
    beside: Beside
    own: Descriptor
    named: Descriptor

    @classmethod
    def of(cls, store: ImageStore, image: StoredImage, beside: Beside) -> Self:
        found = image.descriptor
        own = Descriptor(media_type=found.media_type, digest=found.digest, size=found.size)
        named = own
        if beside.weights:
            where = Platform(os=image.config.os, architecture=image.config.architecture)
            named = index_of(store, own, where, keep(store, beside.weights), there=image.index)
        return cls(image=image, beside=beside, own=own, named=named)

    def in_layout(self) -> dict[str, Any]:
        reference = Reference.parse(self.image.name)
        return {
            "mediaType": self.named.media_type,
            "digest": self.named.digest,
            "size": self.named.size,
            "annotations": {
                REF_NAME: reference.tag or "latest",
                "io.containerd.image.name": str(reference),
            },
        }

    def in_docker(self) -> dict[str, Any]:
        reference, manifest = Reference.parse(self.image.name), self.image.manifest
        name = f"{reference.name}:{reference.tag}" if reference.host != "docker.io" else reference.familiar
        return {
            "Config": _blob(manifest.config.digest),
            "RepoTags": [name],
            "Layers": [_blob(layer.digest) for layer in manifest.layers],
        }


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
