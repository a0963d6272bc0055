"""Weights beside a version, in memory: an artifact of a few files, its layers in a blob store."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cogyard.domain.blobs import BlobStore
from cogyard.oci.layout import ImageStore
from cogyard.project.values import Weights
from cogyard.weights.artifact import Artifact
from cogyard.weights.files import WeightFiles
from cogyard.weights.importing import Importer
from cogyard.weights.wishes import wish_of


def import_weights(
    folder: Path, contents: Mapping[str, bytes], *, name: str = "base", target: str = "/src/weights"
) -> tuple[Artifact, ImageStore]:
    """Import files from a folder below `folder`; return the artifact, and the store with its layers of small files."""
    source = folder / "source"
    for path, data in contents.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    store = ImageStore(folder / "images")
    importer = Importer(
        project=folder,
        files=WeightFiles(folder / "files"),
        store=store,
        environment={},
        now="",
        progress=lambda _line: None,
    )
    declared = Weights(name=name, target=target, source={"uri": "./source"})
    return importer.run(wish_of(declared)).artifact, store


async def keep_weights(
    blobs: BlobStore, contents: Mapping[str, bytes], *, name: str = "base", target: str = "/src/weights"
) -> Artifact:
    """Keep the layers of weights in a blob store, as a push does; return their artifact."""
    with tempfile.TemporaryDirectory() as folder:
        artifact, store = import_weights(Path(folder), contents, name=name, target=target)
        for layer in artifact.layers:
            await blobs.write(_once(store.path(layer.digest).read_bytes()))
    return artifact


class BesideInMemory:
    """A BesideSource: what stands beside versions."""

    def __init__(self, found: Mapping[str, Sequence[Artifact]]) -> None:
        self.found = found

    async def beside(self, version: str) -> Sequence[tuple[bytes, bytes]]:
        """Return (manifest, configuration) of each set of weights that a version came with."""
        return [(each.manifest(), each.config()) for each in self.found.get(version, ())]


def declared(*artifacts: Artifact) -> dict[str, Any]:
    """Return how cog.yaml declares weights, for an image's label."""
    return {"weights": [{"name": each.name, "target": each.target, "source": None} for each in artifacts]}


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
