"""A pointer to bytes: what they are, what they are named, how many there are."""

from __future__ import annotations

from typing import Annotated

import msgspec

from cogyard.oci.digest import Digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

MANIFESTS = frozenset({MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({INDEX, DOCKER_INDEX})
LAYERS = frozenset({LAYER, LAYER_GZIP, LAYER_ZSTD, DOCKER_LAYER_GZIP})

#: A content's size in bytes. 1 TiB is beyond any layer a registry takes, and keeps sums exact in JSON.
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class Platform(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"os_version": "os.version"}
):
    """What kind of machine an image runs on."""

    architecture: str
    os: str
    os_version: str | None = None
    variant: str | None = None


class Descriptor(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"media_type": "mediaType", "artifact_type": "artifactType"},
):
    """A pointer to content, as it stands in manifests and indexes."""

    media_type: str
    digest: Digest
    size: Size
    annotations: dict[str, str] | None = None
    platform: Platform | None = None
    artifact_type: str | None = None
    urls: list[str] | None = None
    data: str | None = None
