"""An image as one tar that `docker load`, podman, skopeo and containerd all read.

It is an OCI layout and a docker archive at once: both describe the same files under blobs/.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Container
from typing import IO

from cogyard.oci.descriptor import Descriptor
from cogyard.oci.layout import REF_NAME, ImageStore, StoredImage
from cogyard.oci.manifest import MAX_MANIFEST
from cogyard.oci.reference import Reference


def write_archive(
    store: ImageStore, image: StoredImage, out: IO[bytes], *, without: Container[str] = ()
) -> None:
    """Write the image into `out`, a file or a pipe; layers whose digest is in `without` are left out."""
    reference = Reference.parse(image.name)
    manifest = image.manifest
    name = f"{reference.name}:{reference.tag}" if reference.host != "docker.io" else reference.familiar
    entry = {
        "mediaType": image.descriptor.media_type,
        "digest": image.descriptor.digest,
        "size": image.descriptor.size,
        "annotations": {REF_NAME: reference.tag or "latest", "io.containerd.image.name": str(reference)},
    }
    documents = {
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
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, document in documents.items():
            _bytes(archive, path, json.dumps(document, separators=(",", ":")).encode())
        own = Descriptor(media_type="", digest=image.descriptor.digest, size=image.descriptor.size)
        seen: set[str] = set()
        for each in [own, manifest.config, *manifest.layers]:
            if each.digest in seen or each.digest in without:
                continue
            seen.add(each.digest)
            _file(archive, store, each)


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
    info = tarfile.TarInfo(_blob(blob.digest))
    info.size, info.mode = blob.size, 0o644
    with store.path(blob.digest).open("rb") as file:
        archive.addfile(info, file)
