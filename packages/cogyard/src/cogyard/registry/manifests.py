"""What a manifest says: read once when it is pushed, from bytes that nobody has vouched for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from cogyard.oci import descriptor as media
from cogyard.oci import digest as digests
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.manifest import MAX_MANIFEST
from cogyard.registry.errors import ManifestInvalidError, TooLargeError, UnsupportedError
from cogyard.registry.ports import StoredManifest

#: The platform whose image in an index becomes the version.
PLATFORM = ("linux", "amd64")

# Nothing that a browser would render: the registry shares its origin with the pages.
_MEDIA_TYPE = re.compile(r"application/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"


class _Document(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"schema_version": "schemaVersion", "media_type": "mediaType", "artifact_type": "artifactType"},
):
    """Every field that names something, of manifests, indexes and artifacts of any kind."""

    schema_version: int | None = None
    media_type: str | None = None
    artifact_type: str | None = None
    config: Descriptor | None = None
    layers: list[Descriptor] = []
    manifests: list[Descriptor] | None = None
    blobs: list[Descriptor] = []
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedManifest:
    """A pushed manifest, understood."""

    content: bytes
    digest: str
    media_type: str
    document: _Document

    @property
    def is_image(self) -> bool:
        """Whether it is a container image (and not an artifact of another kind in the same format)."""
        config = self.document.config
        return (
            self.media_type in media.MANIFESTS
            and config is not None
            and config.media_type in {media.CONFIG, media.DOCKER_CONFIG}
        )

    @property
    def config(self) -> Descriptor | None:
        """Where the configuration is."""
        return self.document.config

    @property
    def preferred(self) -> str | None:
        """The digest of an index's image for our hosts, or None."""
        return preferred_image(self.document.manifests or [])

    @property
    def size(self) -> int:
        """Bytes of the configuration and the layers."""
        config = self.document.config
        return (config.size if config else 0) + sum(layer.size for layer in self.document.layers)

    @property
    def json(self) -> Mapping[str, Any]:
        """The document as plain JSON."""
        value: Mapping[str, Any] = msgspec.json.decode(self.content)
        return value

    @property
    def blobs(self) -> dict[str, int]:
        """Sizes of the blobs it cannot do without, by digest."""
        document = self.document
        required = [*document.layers, *document.blobs, *([document.config] if document.config else [])]
        # Layers with addresses of their own are kept elsewhere, by their licence.
        return {each.digest: each.size for each in required if not each.urls}

    def stored(self, repository: str, now: datetime) -> StoredManifest:
        """Return what to write down of it."""
        document = self.document
        config_type = document.config.media_type if document.config else None
        return StoredManifest(
            repository=repository,
            digest=self.digest,
            media_type=self.media_type,
            content=self.content,
            created_at=now,
            artifact_type=document.artifact_type or config_type,
            subject=document.subject.digest if document.subject else None,
            blobs=self.blobs,
            manifests=tuple(dict.fromkeys(each.digest for each in document.manifests or [])),
        )


def parse_manifest(content: bytes, content_type: str | None) -> ParsedManifest:
    """Understand a manifest. Raises ManifestInvalidError, TooLargeError, UnsupportedError."""
    if len(content) > MAX_MANIFEST:
        raise TooLargeError(f"The manifest has {len(content)} bytes; the limit is {MAX_MANIFEST}.")
    try:
        document = msgspec.json.decode(content, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalidError(f"This is not a manifest: {error}.") from error
    media_type = _media_type(content_type, document)
    if document.schema_version not in {None, 2}:
        raise UnsupportedError(
            f"The manifest has schemaVersion {document.schema_version}; 2 is what is supported.",
            hint="Push with a tool of this decade: Docker's older format has been given up everywhere.",
            status=400,
        )
    if media_type in media.MANIFESTS and document.config is None:
        raise ManifestInvalidError("An image manifest must have a config.")
    if media_type in media.INDEXES and document.manifests is None:
        raise ManifestInvalidError("An index must have manifests.")
    return ParsedManifest(
        content=content, digest=digests.of(content), media_type=media_type, document=document
    )


def _media_type(content_type: str | None, document: _Document) -> str:
    announced = (content_type or "").split(";")[0].strip() or document.media_type
    if announced is None:
        raise ManifestInvalidError("Neither a Content-Type nor the manifest itself says what it is.")
    if announced.startswith(_SCHEMA_1):
        raise UnsupportedError("Docker's image format 1 is not supported.", status=400)
    if not _MEDIA_TYPE.fullmatch(announced):
        raise ManifestInvalidError(f"The media type {announced[:80]!r} is not application/….")
    if document.media_type is not None and document.media_type != announced:
        raise ManifestInvalidError(
            f"The Content-Type is {announced} but the manifest calls itself {document.media_type[:127]!r}."
        )
    return announced


def preferred_image(manifests: list[Descriptor]) -> str | None:
    """Return the digest of the first image for our hosts; of the only image when it names no platform."""
    images = [each for each in manifests if each.media_type in media.MANIFESTS and not each.artifact_type]
    for each in images:
        if each.platform and (each.platform.os, each.platform.architecture) == PLATFORM:
            return each.digest
    unnamed = [each.digest for each in images if each.platform is None]
    return unnamed[0] if len(unnamed) == 1 else None


def referrer(stored: StoredManifest) -> dict[str, Any]:
    """Describe a manifest as it stands in a list of referrers."""
    document = msgspec.json.decode(stored.content, type=_Document)
    described: dict[str, Any] = {
        "mediaType": stored.media_type,
        "digest": stored.digest,
        "size": len(stored.content),
    }
    if stored.artifact_type:
        described["artifactType"] = stored.artifact_type
    if document.annotations:
        described["annotations"] = document.annotations
    return described


def image_for(stored: StoredManifest) -> str | None:
    """Return the digest of the image that an old client means when it asks for an index it cannot read."""
    return preferred_image(msgspec.json.decode(stored.content, type=_Document).manifests or [])
