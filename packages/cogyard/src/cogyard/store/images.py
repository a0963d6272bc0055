"""A version's image, found by its digest whichever repository it was pushed to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cogyard.domain.blobs import BlobStore
from cogyard.store.database import Database

_SQL = "SELECT content FROM registry_manifests WHERE digest = ? LIMIT 1"
#: An image config is a small document; one that is larger is not read.
_MAX_CONFIG = 8 << 20


@dataclass(frozen=True, slots=True)
class StoredImages:
    """An instance's VersionSource over the registry's manifests and the blob store."""

    database: Database
    blobs: BlobStore

    async def manifest(self, version: str) -> tuple[bytes, Mapping[str, Any]]:
        """Return (manifest bytes, image config) of a version; raise KeyError when there is none."""
        key = (f"sha256:{version}",)
        row = await self.database.read(lambda db: db.execute(_SQL, key).fetchone())
        if row is None:
            raise KeyError(version)
        manifest = bytes(row["content"])
        return manifest, await self._config(manifest)

    async def _config(self, manifest: bytes) -> Mapping[str, Any]:
        """Read the config that a manifest names; what is not there or not JSON is empty."""
        try:
            digest = json.loads(manifest)["config"]["digest"]
            parts = [chunk async for chunk in self.blobs.read(str(digest), 0, _MAX_CONFIG)]
            config = json.loads(b"".join(parts))
        except (KeyError, TypeError, ValueError, RecursionError):
            return {}
        return config if isinstance(config, dict) else {}
