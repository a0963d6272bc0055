"""What an archive carries beside its image: the weights, and the documents that are attached to it.

Weights stand in the archive as in a registry: index.json names an index of the image and of their manifests. What is
attached is listed in referrers.json, an index as a registry's referrers API answers it. It is no part of index.json,
since tools that are not told which image they are to take want exactly one entry there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cogyard.image.expected import kept
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.joined import Joined
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.weights.artifact import Artifact
from cogyard.weights.content import blob_of, is_its_file, layer_content
from cogyard.weights.errors import ArtifactInvalidError, FilesMissingError
from cogyard.weights.files import WeightFiles
from cogyard.weights.unpack import take_layer

REFERRERS = "referrers.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """What goes into an archive beside an image. Without `files` the weights come without their layers."""

    weights: tuple[Artifact, ...] = ()
    files: WeightFiles | None = None
    attached: tuple[Descriptor, ...] = ()

    @classmethod
    def of(cls, store: ImageStore, image: StoredImage, files: WeightFiles | None) -> Beside:
        """Return all that stands beside an image of the store. Raises ArtifactInvalidError, BlobMissingError."""
        return cls(
            weights=kept(store, image.beside),
            files=files,
            attached=tuple(descriptor for descriptor, _ in store.referrers(image.descriptor.digest)),
        )

    def layers(self, store: ImageStore) -> Iterator[tuple[Descriptor, Path | Joined]]:
        """Yield each layer of the weights once, with its bytes. Raises FilesMissingError, and the store's errors."""
        seen: set[str] = set()
        for artifact in self.weights if self.files is not None else ():
            for layer in artifact.layers:
                if layer.digest in seen:
                    continue
                seen.add(layer.digest)
                assert self.files is not None  # noqa: S101 - for the type
                content = layer_content(artifact, layer, self.files, store)
                if content is None:
                    raise FilesMissingError(
                        f"a layer of the weights {artifact.name} is not on this machine",
                        hint=f"`cog weights import {artifact.name}` in the project, or `cog pull`, brings it; "
                        "--no-weights leaves weights out.",
                    )
                yield blob_of(layer), content


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """Weights that came with an image. `lacking` are those whose files are neither in the archive nor here."""

    weights: tuple[Artifact, ...] = ()
    lacking: tuple[Artifact, ...] = ()


def take_weights(
    store: ImageStore,
    files: WeightFiles,
    entries: Iterable[Descriptor],
    *,
    need: Callable[[Descriptor], object],
    holds: Callable[[str], bool],
    spare: Callable[[str], bool],
) -> Carried:
    """Keep the files of the weights whose documents and layers are in the store.

    `need` raises for a blob that the archive lacks; `holds` says whether it has one; `spare` whether a layer is there
    for its weights alone, and may go when its files are kept. Raises ArtifactInvalidError, and the store's errors.
    """
    found, lacking = [], []
    for artifact in kept(store, entries):
        found.append(artifact)
        if not any(holds(each.digest) for each in artifact.layers):
            if files.missing(artifact.files):
                lacking.append(artifact)
            continue
        for layer in artifact.layers:
            need(blob_of(layer))
            path = store.path(layer.digest)
            _take(path, layer.digest, artifact, files)
            if spare(layer.digest) and path.exists() and is_its_file(artifact, layer, path):
                path.unlink()
    return Carried(weights=tuple(found), lacking=tuple(lacking))


def _take(path: Path, digest: str, artifact: Artifact, files: WeightFiles) -> None:
    if not files.missing([each for each in artifact.files if each.layer == digest]):
        return
    try:
        stream = path.open("rb")
    except FileNotFoundError:  # another set had it, of other files
        raise ArtifactInvalidError(
            f"layer {digest} of {artifact.name} does not hold the files that it is to hold"
        ) from None
    with stream:
        take_layer(stream, digest, artifact, files)
