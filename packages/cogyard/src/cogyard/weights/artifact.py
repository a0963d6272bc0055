"""One set of weights as an OCI artifact: its manifest, its configuration, its place in an index. Pure.

The form is that of Cog's draft 1.0 (specs/draft-weights.md of replicate/cog; docs/reference/weights.md here). The same
files, name and target give the same bytes: no time, source or version of ours is in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from cogyard.oci import digest as digests
from cogyard.oci.descriptor import LAYER, LAYER_GZIP, LAYER_ZSTD, MANIFEST, Descriptor, Platform
from cogyard.oci.digest import Digest
from cogyard.oci.errors import InvalidDocumentError
from cogyard.oci.manifest import MAX_MANIFEST, Manifest, decode
from cogyard.weights.errors import ArtifactInvalidError
from cogyard.weights.paths import name_problem, path_problem, target_problem

ARTIFACT = "application/vnd.cog.weight.v1"
CONFIG = "application/vnd.cog.weight.config.v1+json"
NAME = "run.cog.weight.name"
TARGET = "run.cog.weight.target"
SET_DIGEST = "run.cog.weight.set-digest"
PLAIN_SIZE = "run.cog.weight.size.uncompressed"
LAYERS = frozenset({LAYER, LAYER_GZIP, LAYER_ZSTD})

#: Beyond these an artifact is not one: a file takes some 200 bytes of the configuration.
MOST_FILES = 20_000
MOST_LAYERS = 10_000
MAX_CONFIG = 4 << 20
_NOWHERE = Platform(os="unknown", architecture="unknown")


class WeightFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its path below the target, the layer it is in, its size in bytes and its digest."""

    path: str
    layer: Digest
    size: int
    digest: Digest


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightLayer:
    """One layer: a blob, and the bytes of the files in it."""

    digest: str
    media_type: str
    size: int
    plain_size: int


class _Config(msgspec.Struct, frozen=True, kw_only=True, rename={"set_digest": "setDigest"}):
    name: str
    target: str
    set_digest: str
    files: list[WeightFile]


# Fields in the order in which Cog writes them, so that both write the same bytes.
class _Blob(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"media_type": "mediaType"}
):
    media_type: str
    size: int
    digest: str
    annotations: dict[str, str] | None = None


class _Manifest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"schema_version": "schemaVersion", "media_type": "mediaType", "artifact_type": "artifactType"},
):
    schema_version: int
    media_type: str
    artifact_type: str
    config: _Blob
    layers: list[_Blob]
    annotations: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A set of weights: what it is called, where it stands, its files by path and its layers by digest."""

    name: str
    target: str
    files: tuple[WeightFile, ...]
    layers: tuple[WeightLayer, ...]

    @property
    def set_digest(self) -> str:
        """What names the files whatever layers they are in."""
        return set_digest(self.files)

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(each.size for each in self.files)

    def config(self) -> bytes:
        """Return the configuration: which file is in which layer."""
        files = sorted(self.files, key=lambda each: each.path.encode())
        return msgspec.json.encode(
            _Config(name=self.name, target=self.target, set_digest=self.set_digest, files=files)
        )

    def manifest(self) -> bytes:
        """Return the manifest."""
        config = self.config()
        manifest = _Manifest(
            schema_version=2,
            media_type=MANIFEST,
            artifact_type=ARTIFACT,
            config=_Blob(media_type=CONFIG, size=len(config), digest=digests.of(config)),
            layers=[
                _Blob(
                    media_type=each.media_type,
                    size=each.size,
                    digest=each.digest,
                    annotations={PLAIN_SIZE: str(each.plain_size)},
                )
                for each in sorted(self.layers, key=lambda each: each.digest)
            ],
            annotations={NAME: self.name, SET_DIGEST: self.set_digest, TARGET: self.target},
        )
        return msgspec.json.encode(manifest, order=None)

    def entry(self) -> Descriptor:
        """Return how the artifact stands in the index beside its image: on no platform, so nothing runs it."""
        data = self.manifest()
        return Descriptor(
            media_type=MANIFEST,
            digest=digests.of(data),
            size=len(data),
            artifact_type=ARTIFACT,
            platform=_NOWHERE,
            annotations={NAME: self.name, SET_DIGEST: self.set_digest, PLAIN_SIZE: str(self.size)},
        )

    def check(self) -> None:
        """Raise ArtifactInvalidError for names, paths or layers that cannot be."""
        _check(self)

    def tag(self) -> str:
        """Return the tag of the artifact in its model's repository, as Cog names it."""
        return f"weights-{self.name}-{digests.hex_of(self.set_digest)[:12]}"


def set_digest(files: Iterable[WeightFile]) -> str:
    """Return the digest of a set of files: of the sorted lines that sha256sum prints, with newlines between them."""
    return _digest_of(sorted(_line(each) for each in files))


def expected(artifacts: Sequence[Artifact]) -> bytes:
    """Return what an image says of the weights it expects, for `EXPECTED`."""
    weights = [{"name": each.name, "target": each.target, "setDigest": each.set_digest} for each in artifacts]
    return msgspec.json.encode({"weights": weights})


class _Expected(msgspec.Struct, rename={"set_digest": "setDigest"}):
    set_digest: str


class _ExpectedList(msgspec.Struct):
    weights: list[_Expected]


def sets_of(document: bytes) -> frozenset[str] | None:
    """Return the set digests that an image's `EXPECTED` names; None for a document that does not name them all."""
    try:
        return frozenset(
            each.set_digest for each in msgspec.json.decode(document, type=_ExpectedList).weights
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def is_entry(descriptor: Descriptor) -> bool:
    """Say whether an entry of an index is a set of weights; older Cogs mark it by an annotation alone."""
    return descriptor.artifact_type == ARTIFACT or SET_DIGEST in (descriptor.annotations or {})


def config_of(manifest: bytes) -> Descriptor:
    """Return where an artifact's configuration is. Raises ArtifactInvalidError for a manifest of something else."""
    return _checked(manifest).config


def read_artifact(manifest: bytes, config: bytes) -> Artifact:
    """Read an artifact that anybody may have made. Raises ArtifactInvalidError."""
    document = _checked(manifest)
    if digests.of(config) != document.config.digest:
        raise ArtifactInvalidError(
            "the configuration of the weights is not the one that their manifest names"
        )
    try:
        said = msgspec.json.decode(config, type=_Config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactInvalidError(f"the configuration of the weights is not valid: {error}") from None
    artifact = Artifact(
        name=said.name,
        target=said.target,
        files=tuple(said.files),
        layers=tuple(_layer(each) for each in document.layers),
    )
    artifact.check()
    by_path = _digest_of([_line(each) for each in sorted(said.files, key=lambda each: each.path.encode())])
    if said.set_digest not in {artifact.set_digest, by_path}:
        raise ArtifactInvalidError(
            f"the weights {said.name} say that their files are {said.set_digest[:80]}; "
            f"they are {artifact.set_digest}"
        )
    return artifact


def _checked(manifest: bytes) -> Manifest:
    if len(manifest) > MAX_MANIFEST:
        raise ArtifactInvalidError(f"the manifest of the weights has more than {MAX_MANIFEST} bytes")
    try:
        document = decode(manifest, Manifest, what="the manifest of the weights")
    except InvalidDocumentError as error:
        raise ArtifactInvalidError(error.message) from None
    if document.config.media_type != CONFIG:
        raise ArtifactInvalidError(
            f"the manifest has a configuration of type {document.config.media_type[:100]!r}, not {CONFIG}"
        )
    if document.config.size > MAX_CONFIG or len(document.layers) > MOST_LAYERS:
        raise ArtifactInvalidError(
            f"the weights have {len(document.layers)} layers and a configuration of {document.config.size} bytes; "
            f"the limits are {MOST_LAYERS} and {MAX_CONFIG}"
        )
    return document


def _layer(layer: Descriptor) -> WeightLayer:
    if layer.media_type not in LAYERS:
        raise ArtifactInvalidError(f"the weights have a layer of type {layer.media_type[:100]!r}")
    told = (layer.annotations or {}).get(PLAIN_SIZE, "")
    size = int(told) if told.isascii() and told.isdigit() and len(told) < 16 else 0
    return WeightLayer(digest=layer.digest, media_type=layer.media_type, size=layer.size, plain_size=size)


def _check(artifact: Artifact) -> None:
    if (problem := name_problem(artifact.name)) is not None:
        raise ArtifactInvalidError(f"the weights' name {artifact.name[:80]!r} {problem}")
    if (problem := target_problem(artifact.target)) is not None:
        raise ArtifactInvalidError(f"the target {artifact.target[:80]!r} of {artifact.name} {problem}")
    if not 0 < len(artifact.files) <= MOST_FILES:
        raise ArtifactInvalidError(
            f"the weights {artifact.name} have {len(artifact.files)} files; they may have 1 to {MOST_FILES}"
        )
    layers = {each.digest for each in artifact.layers}
    seen: set[str] = set()
    for each in artifact.files:
        shown = repr(each.path)[:120]
        if (problem := path_problem(each.path)) is not None:
            raise ArtifactInvalidError(f"the path {shown} in {artifact.name} {problem}")
        if each.path in seen or each.size < 0:
            raise ArtifactInvalidError(f"{shown} is twice in {artifact.name}, or has {each.size} bytes")
        if each.layer not in layers:
            raise ArtifactInvalidError(f"{shown} of {artifact.name} is in a layer that is not there")
        seen.add(each.path)
    for path in seen:
        folders = path.split("/")[:-1]
        if any("/".join(folders[:count]) in seen for count in range(1, len(folders) + 1)):
            raise ArtifactInvalidError(f"{path[:100]!r} of {artifact.name} is below a file")


def _line(file: WeightFile) -> str:
    return f"{digests.hex_of(file.digest)}  {file.path}"


def _digest_of(lines: Sequence[str]) -> str:
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"
