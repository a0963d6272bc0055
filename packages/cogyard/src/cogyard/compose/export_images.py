"""An account's images as an OCI image layout, which skopeo, crane, podman and `cog` read: blobs, and an index of names.

A layer that many images have is there once. Other manifests than images (signatures, weights) are in it as well.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogyard.compose.backup import copy_verified
from cogyard.compose.datadir import DataDir
from cogyard.oci import descriptor as media
from cogyard.store.export import KeptManifest, manifests_of

_REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedImages:
    """What was written: manifests that have a name, and blobs whose bytes are gone."""

    images: int
    missing: int


def export_images(folder: DataDir, copy: Path, username: str, target: Path) -> ExportedImages:
    """Write all images of an account's repositories, as a copy of the database names them, to a new folder. Blocks."""
    (target / "blobs" / "sha256").mkdir(mode=0o700, parents=True)
    entries: list[dict[str, Any]] = []
    wanted: set[str] = set()
    for manifest in manifests_of(copy, username):
        _write(_place(target, manifest.digest), manifest.content)
        wanted.update(manifest.blobs)
        # What an index names is found through it.
        if not manifest.part_of_index:
            entries += _entries(manifest)
    missing = sum(
        not copy_verified(_kept(folder, digest), _place(target, digest), digest) for digest in sorted(wanted)
    )
    _write(target / "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
    index = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": entries}
    _write(target / "index.json", json.dumps(index, indent=2).encode())
    return ExportedImages(images=len(entries), missing=missing)


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


def _place(target: Path, digest: str) -> Path:
    return target / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _kept(folder: DataDir, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return folder.images / "blobs" / "sha256" / name[:2] / name


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
