"""Manifests and indexes: the documents that make blobs an image."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from cogyard.oci import descriptor as media
from cogyard.oci import digest as digests
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import InvalidDocumentError

#: No registry is bound to take a larger manifest (the distribution protocol says 4 MiB).
MAX_MANIFEST = 4 << 20


class Manifest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"schema_version": "schemaVersion", "media_type": "mediaType", "artifact_type": "artifactType"},
):
    """One image: its configuration and its layers, lowest first."""

    schema_version: int
    config: Descriptor
    layers: list[Descriptor]
    media_type: str | None = None
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None

    @property
    def size(self) -> int:
        """The bytes of the configuration and the layers as they are kept."""
        return self.config.size + sum(layer.size for layer in self.layers)


class Index(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"schema_version": "schemaVersion", "media_type": "mediaType", "artifact_type": "artifactType"},
):
    """Several images under one name, usually one a platform."""

    schema_version: int
    manifests: list[Descriptor]
    media_type: str | None = None
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


Document = TypeVar("Document", bound=msgspec.Struct)


def encode(document: msgspec.Struct) -> bytes:
    """Return the document's canonical bytes: compact JSON, fields as declared, maps sorted."""
    return msgspec.json.encode(document, order="deterministic")


def describe(document: msgspec.Struct, media_type: str) -> tuple[Descriptor, bytes]:
    """Return the descriptor of a document, and its bytes."""
    data = encode(document)
    return Descriptor(media_type=media_type, digest=digests.of(data), size=len(data)), data


def decode(data: bytes, kind: type[Document], *, what: str) -> Document:
    """Read a foreign document; `what` names it in the error.

    Raises InvalidDocumentError for anything that is not a `kind`.
    """
    if len(data) > MAX_MANIFEST:
        raise InvalidDocumentError(f"{what} has {len(data)} bytes, the limit is {MAX_MANIFEST}")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidDocumentError(f"{what} is not valid: {error}") from None


def decode_any(data: bytes, media_type: str | None, *, what: str) -> Manifest | Index:
    """Read a manifest or an index, by its media type or, without one, by what it holds."""
    if media_type in media.INDEXES:
        return decode(data, Index, what=what)
    if media_type in media.MANIFESTS:
        return decode(data, Manifest, what=what)
    probe = decode(data, _Probe, what=what)
    if probe.media_type in media.INDEXES or (probe.media_type is None and probe.manifests is not None):
        return decode(data, Index, what=what)
    if probe.media_type in media.MANIFESTS or (probe.media_type is None and probe.config is not None):
        return decode(data, Manifest, what=what)
    raise InvalidDocumentError(f"{what} is neither an image manifest nor an index ({probe.media_type!r})")


class _Probe(msgspec.Struct, kw_only=True, rename={"media_type": "mediaType"}):
    """As much of a document as tells what it is."""

    media_type: str | None = None
    config: Any = None
    manifests: Any = None
