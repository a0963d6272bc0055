"""An account's images as an OCI image layout, which skopeo, crane, podman and `cog` read: blobs, and an index of names.

A layer that many images have is there once. Other manifests than images (signatures, weights) are in it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogyard.compose.datadir import DataDir
from cogyard.oci import descriptor as media
from cogyard.store.export import KeptManifest, manifests_of

_REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True)
class Text:
    """A small file of an export: its content."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Bytes:
    """A file of an export that is on the disk already: where, and the digest that it must have."""

    name: str
    source: Path
    digest: str


def images_of(folder: DataDir, username: str) -> Iterator[Text | Bytes]:
    """Yield the files of a layout of all images of an account's repositories, its index last. Blocks."""
    entries: list[dict[str, Any]] = []
    wanted: set[str] = set()
    yield Text("images/oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
    for manifest in manifests_of(folder.database, username):
        yield Text(_place(manifest.digest), manifest.content)
        wanted.update(manifest.blobs)
        # What an index names is found through it.
        if not manifest.part_of_index:
            entries += _entries(manifest)
    for digest in sorted(wanted):
        yield Bytes(_place(digest), folder.images / _kept(digest), digest)
    index = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": entries}
    yield Text("images/index.json", json.dumps(index, indent=2).encode())


def _entries(manifest: KeptManifest) -> list[dict[str, Any]]:
    """Return one entry for each name: `owner/model:tag`, or by its digest where there is no tag."""
    names = [f"{manifest.repository}:{tag}" for tag in manifest.tags]
    return [
        {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": len(manifest.content),
            "annotations": {_REF_NAME: name},
        }
        for name in names or [f"{manifest.repository}@{manifest.digest}"]
    ]


def _place(digest: str) -> str:
    return f"images/blobs/sha256/{digest.removeprefix('sha256:')}"


def _kept(digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return Path("blobs") / "sha256" / name[:2] / name
