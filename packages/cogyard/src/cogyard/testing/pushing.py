"""Small images to push in tests, by hand and without a client of ours."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from cogyard.testing.blobs import digest_of

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def descriptor(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    """Point to bytes."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


@dataclass(frozen=True, kw_only=True)
class SmallImage:
    """An image of one file."""

    config: bytes
    layer: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.manifest)


def small_image(
    content: bytes = b"hello",
    *,
    labels: Mapping[str, str] | None = None,
    architecture: str = "amd64",
    **more: Any,
) -> SmallImage:
    """Make an image; `more` goes into its manifest."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    layer = gzip.compress(tar.getvalue(), mtime=0)
    config = json.dumps(
        {
            "os": "linux",
            "architecture": architecture,
            "config": {"Labels": dict(labels or {})},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar.getvalue())]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": descriptor(config, CONFIG),
            "layers": [descriptor(layer, LAYER)],
            **more,
        }
    ).encode()
    return SmallImage(config=config, layer=layer, manifest=manifest)


def small_index(images: Sequence[tuple[SmallImage, str]]) -> bytes:
    """Make an index of images with their architectures."""
    manifests = [
        descriptor(image.manifest, IMAGE, platform={"os": "linux", "architecture": architecture})
        for image, architecture in images
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()


async def push_blob(client: httpx2.AsyncClient, repository: str, data: bytes, **how: Any) -> httpx2.Response:
    """Send a blob in one request."""
    where = f"/v2/{repository}/blobs/uploads/"
    return await client.post(where, params={"digest": digest_of(data)}, content=data, **how)


async def push_image(
    client: httpx2.AsyncClient, repository: str, image: SmallImage, tag: str | None = "latest", **how: Any
) -> httpx2.Response:
    """Send an image's blobs, then its manifest; return the last answer."""
    for data in (image.layer, image.config):
        (await push_blob(client, repository, data, **how)).raise_for_status()
    return await put_manifest(client, repository, image.manifest, tag or image.digest, **how)


async def put_manifest(
    client: httpx2.AsyncClient,
    repository: str,
    manifest: bytes,
    reference: str,
    media_type: str = IMAGE,
    **how: Any,
) -> httpx2.Response:
    """Send a manifest."""
    where = f"/v2/{repository}/manifests/{reference}"
    return await client.put(where, content=manifest, headers={"Content-Type": media_type}, **how)
