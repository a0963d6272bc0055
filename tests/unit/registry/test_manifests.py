"""Manifests as they come from tools, and as they come from elsewhere."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cogyard.registry.errors import DistributionError, ManifestInvalidError, TooLargeError
from cogyard.registry.manifests import parse_manifest
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def descriptor(n: int, **more: Any) -> dict[str, Any]:
    """Make a descriptor of nothing in particular."""
    return {"mediaType": "application/x", "digest": f"sha256:{n:064x}", "size": n, **more}


def image(**more: Any) -> dict[str, Any]:
    """Make an image manifest."""
    return {
        "schemaVersion": 2,
        "config": descriptor(1, mediaType="application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(2), descriptor(3), descriptor(2)],
        **more,
    }


def encoded(value: object) -> bytes:
    """Write JSON."""
    return json.dumps(value).encode()


def test_an_image_needs_its_config_and_layers() -> None:
    """Each blob once, with its size; a foreign layer is kept elsewhere."""
    foreign = descriptor(4, urls=["https://example.com/layer"])
    parsed = parse_manifest(encoded(image(layers=[descriptor(2), descriptor(3), foreign])), OCI)
    stored = parsed.stored("alice/model", NOW)
    assert {digest[-1]: size for digest, size in stored.blobs.items()} == {"1": 1, "2": 2, "3": 3}
    assert parsed.is_image
    assert parsed.size == 10
    assert stored.artifact_type == "application/vnd.oci.image.config.v1+json"


def test_an_index_needs_its_images_and_prefers_ours() -> None:
    """linux/amd64 is what hosts run; an attestation is no image."""
    manifests = [
        descriptor(1, mediaType=OCI, platform={"os": "linux", "architecture": "arm64"}),
        descriptor(2, mediaType=OCI, platform={"os": "linux", "architecture": "amd64"}),
        descriptor(3, mediaType=OCI, platform={"os": "unknown", "architecture": "unknown"}),
    ]
    parsed = parse_manifest(encoded({"schemaVersion": 2, "manifests": manifests}), INDEX)
    assert len(parsed.stored("a/b", NOW).manifests) == 3
    assert parsed.preferred == manifests[1]["digest"]


def test_an_index_of_one_image_without_platform_means_that_image() -> None:
    """As Cog's bundles of an image and its weights are."""
    manifests = [
        descriptor(1, mediaType=OCI),
        descriptor(2, mediaType=OCI, artifactType="application/weights"),
    ]
    parsed = parse_manifest(encoded({"schemaVersion": 2, "manifests": manifests}), INDEX)
    assert parsed.preferred == manifests[0]["digest"]


def test_a_subject_need_not_be_there() -> None:
    """It is written down, and not required."""
    stored = parse_manifest(encoded(image(subject=descriptor(9))), OCI).stored("a/b", NOW)
    assert stored.subject == f"sha256:{9:064x}"
    assert stored.subject not in stored.blobs
    assert stored.subject not in stored.manifests


def test_an_artifact_of_any_type_is_kept_and_is_no_image() -> None:
    """The type is its own word for what it is."""
    content = encoded({"mediaType": "application/vnd.acme.thing+json", "blobs": [descriptor(5)], "acme": [1]})
    parsed = parse_manifest(content, None)
    assert parsed.media_type == "application/vnd.acme.thing+json"
    assert not parsed.is_image
    assert list(parsed.stored("a/b", NOW).blobs.values()) == [5]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", OCI),
        (b"\xff\xfe", OCI),
        (b"[]", OCI),
        (b"null", OCI),
        (b"[" * 100_000, OCI),
        (encoded(image(layers=[descriptor(1, digest="sha256:../../etc")])), OCI),
        (encoded(image(layers=[{"mediaType": "x", "digest": f"sha256:{1:064x}", "size": -1}])), OCI),
        (encoded({"schemaVersion": 2, "layers": []}), OCI),
        (encoded({"schemaVersion": 2}), INDEX),
        (encoded({"schemaVersion": 1, "fsLayers": []}), OCI),
        (encoded({"schemaVersion": 2}), "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        (encoded({"schemaVersion": 2}), None),
        (encoded(image()), "text/html"),
        (encoded(image()), "application/x\r\nSet-Cookie: a=b"),
        (encoded(image(mediaType=DOCKER)), OCI),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, content_type: str | None) -> None:
    """With a refusal in the protocol's words, and before anything is written."""
    with pytest.raises(DistributionError) as caught:
        parse_manifest(content, content_type)
    assert caught.value.status in {400, 413}
    assert caught.value.code in {"MANIFEST_INVALID", "UNSUPPORTED"}


def test_a_manifest_has_a_limit() -> None:
    """4 MiB, as everywhere."""
    with pytest.raises(TooLargeError):
        parse_manifest(b" " * ((4 << 20) + 1), OCI)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(encoded))
def test_no_bytes_do_more_than_being_refused(content: bytes) -> None:
    """Whatever comes is a manifest or a refusal, never a crash."""
    with contextlib.suppress(ManifestInvalidError):
        parse_manifest(content, OCI)
