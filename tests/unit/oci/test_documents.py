"""Digests, manifests and configurations: what is written reads back, what is foreign is bounded."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from cogyard.oci import digest as digests
from cogyard.oci.config import History, ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Descriptor, Platform
from cogyard.oci.errors import InvalidDigestError, InvalidDocumentError
from cogyard.oci.manifest import MAX_MANIFEST, Index, Manifest, decode, decode_any, describe, encode
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "b" * 64


def manifest() -> Manifest:
    """Return a small image."""
    config = Descriptor(media_type=CONFIG, digest=DIGEST, size=2)
    layer = Descriptor(media_type=LAYER_GZIP, digest=DIGEST, size=3, annotations={"b": "2", "a": "1"})
    return Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[layer])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:" + "A" * 64,
        "sha512:" + "a" * 128,
        DIGEST + "\n",
        " " + DIGEST,
        "sha256:../../x",
    ],
)
def test_only_sha256_digests_are_digests(text: str) -> None:
    """A digest never holds anything that could be a path, and a near miss is named."""
    with pytest.raises(InvalidDigestError):
        digests.parse(text)


def test_a_digest_is_the_sha256_of_the_bytes() -> None:
    """The digest of nothing is the one every tool knows."""
    assert digests.of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_documents_have_one_spelling() -> None:
    """The same manifest gives the same bytes whatever order its annotations were given in."""
    first = manifest()
    layer = Descriptor(media_type=LAYER_GZIP, digest=DIGEST, size=3, annotations={"a": "1", "b": "2"})
    assert encode(first) == encode(
        Manifest(schema_version=2, media_type=MANIFEST, config=first.config, layers=[layer])
    )
    descriptor, data = describe(first, MANIFEST)
    assert descriptor == Descriptor(media_type=MANIFEST, digest=digests.of(data), size=len(data))
    assert decode(data, Manifest, what="it") == first
    assert first.size == 5


def test_the_names_are_those_of_the_format() -> None:
    """Field names on the wire are the specification's, and what is not set is not written."""
    written = json.loads(encode(manifest()))
    assert set(written) == {"schemaVersion", "mediaType", "config", "layers"}
    assert set(written["layers"][0]) == {"mediaType", "digest", "size", "annotations"}
    config = ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(diff_ids=[DIGEST]),
        config=RunConfig(env=["A=1"], working_dir="/src", labels={"l": "1"}, exposed_ports={"5000/tcp": {}}),
        history=[History(created_by="x")],
    )
    assert json.loads(encode(config)) == {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
        "config": {
            "Env": ["A=1"],
            "WorkingDir": "/src",
            "Labels": {"l": "1"},
            "ExposedPorts": {"5000/tcp": {}},
        },
        "history": [{"created_by": "x"}],
    }
    assert config.labels == {"l": "1"}


def test_what_a_document_is_follows_from_its_type_or_its_shape() -> None:
    """A registry may leave the media type out of the header or of the document."""
    index = Index(schema_version=2, manifests=[Descriptor(media_type=MANIFEST, digest=DIGEST, size=1)])
    assert isinstance(decode_any(encode(index), None, what="x"), Index)
    assert isinstance(decode_any(encode(index), INDEX, what="x"), Index)
    assert isinstance(decode_any(encode(manifest()), "text/plain", what="x"), Manifest)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"null", b"{" * 100_000, b'{"schemaVersion":2,"config":{},"layers":[]}',
        b'{"schemaVersion":2,"config":{"mediaType":"a","digest":"../../x","size":1},"layers":[]}',
        b'{"schemaVersion":2,"config":{"mediaType":"a","digest":"sha256:' + b"a" * 64 + b'","size":-1},"layers":[]}',
        b" " * (MAX_MANIFEST + 1),
    ],
)  # fmt: skip
def test_hostile_documents_are_refused(data: bytes) -> None:
    """Nothing but a whole, bounded, well-named document is accepted."""
    with pytest.raises(InvalidDocumentError):
        decode_any(data, None, what="the manifest")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_document_or_refused(data: bytes) -> None:
    """No bytes break the reader."""
    with suppress(InvalidDocumentError):
        decode_any(data, MANIFEST, what="x")


def test_a_platform_keeps_its_dotted_name() -> None:
    """`os.version` is written with its dot."""
    written = json.loads(encode(Platform(architecture="amd64", os="windows", os_version="10")))
    assert written == {"architecture": "amd64", "os": "windows", "os.version": "10"}
