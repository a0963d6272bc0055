"""The local store: whole blobs or none, names that mean one image, and a folder other tools read."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from cogyard.oci import digest as digests
from cogyard.oci.config import ImageConfig, RootFs
from cogyard.oci.descriptor import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.errors import (
    BlobMissingError,
    ImageNotFoundError,
    InvalidDocumentError,
    StoreBusyError,
    StoreFullError,
    StoreUnusableError,
)
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import Index, Manifest, decode, describe, encode
from cogyard.oci.reference import Reference

NAME = Reference.parse("hello")


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """Give an empty store."""
    return ImageStore(tmp_path / "images")


def put_image(store: ImageStore, reference: Reference, content: bytes = b"layer") -> Descriptor:
    """Keep an image with one layer under a name."""
    layer = store.write(content)
    config = ImageConfig(architecture="amd64", os="linux", rootfs=RootFs(diff_ids=[layer]))
    own = Descriptor(media_type=CONFIG, digest=store.write(encode(config)), size=len(encode(config)))
    above = Descriptor(media_type=LAYER_GZIP, digest=layer, size=len(content))
    descriptor, data = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=[above]), MANIFEST
    )
    store.write(data)
    store.tag(reference, descriptor)
    return descriptor


def test_a_blob_is_kept_by_its_digest(store: ImageStore) -> None:
    """Bytes written are found again under their digest, once."""
    digest = store.write(b"hello")
    assert store.write(b"hello") == digest == digests.of(b"hello")
    assert store.read(digest) == b"hello"
    assert store.has(Descriptor(media_type="x", digest=digest, size=5))
    assert not store.has(Descriptor(media_type="x", digest=digest, size=6))


def test_nothing_stays_of_a_blob_that_was_not_finished(store: ImageStore) -> None:
    """A write that fails half-way leaves neither a blob nor a temporary file."""

    def fail() -> None:
        with store.writer() as blob:
            blob.file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((store.root / "blobs" / "sha256").iterdir()) == []
    assert list((store.root / "tmp").iterdir()) == []


def test_a_full_disk_is_named(store: ImageStore) -> None:
    """No room on the disk is said as that, with what to do."""
    with pytest.raises(StoreFullError) as caught, store.writer():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "COGYARD_CACHE_DIR" in (caught.value.hint or "")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is said, with the setting that names another place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusableError) as caught:
        ImageStore(tmp_path / "file" / "images")
    assert "file" in caught.value.message
    assert "COGYARD_CACHE_DIR" in (caught.value.hint or "")


def test_a_file_elsewhere_is_not_told_as_the_cache_s(store: ImageStore, tmp_path: Path) -> None:
    """Another cache does not help who may not read a file of the project."""
    with pytest.raises(StoreUnusableError) as caught, store.writer():
        raise OSError(errno.EACCES, "Permission denied", str(tmp_path / "project" / "secret"))
    assert "project/secret cannot be used" in caught.value.message
    assert caught.value.hint is None


def test_a_name_means_the_latest_image(store: ImageStore) -> None:
    """Naming another image moves the name, and the first image stays reachable by its digest only while named."""
    first = put_image(store, NAME)
    second = put_image(store, NAME, b"other")
    assert store.image(NAME).descriptor.digest == second.digest != first.digest
    assert list(store.names()) == ["hello:latest"]
    assert store.image(NAME.with_digest(second.digest)).descriptor.digest == second.digest


def test_the_folder_is_an_oci_layout(store: ImageStore) -> None:
    """Its files are those of the OCI image layout, so that other tools can read it."""
    descriptor = put_image(store, NAME)
    assert json.loads((store.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((store.root / "index.json").read_bytes())
    assert index["manifests"] == [
        {
            "mediaType": MANIFEST,
            "digest": descriptor.digest,
            "size": descriptor.size,
            "annotations": {"org.opencontainers.image.ref.name": "hello:latest"},
        }
    ]


def test_an_image_that_is_not_there_is_said_so(store: ImageStore) -> None:
    """The message names the image and the command that lists them."""
    with pytest.raises(ImageNotFoundError) as caught:
        store.image(NAME)
    assert "hello:latest" in caught.value.message
    assert "cog images" in (caught.value.hint or "")


def test_missing_and_oversized_blobs_are_refused(store: ImageStore) -> None:
    """A blob that is not there, or larger than any document, is an error of its own."""
    with pytest.raises(BlobMissingError):
        store.read("sha256:" + "0" * 64)
    with pytest.raises(InvalidDocumentError):
        store.read(store.write(b"12345"), limit=4)


def test_pruning_keeps_what_named_images_use(store: ImageStore) -> None:
    """After a name moved, the old image's own blobs go and the new one's stay."""
    put_image(store, NAME, b"old layer")
    put_image(store, NAME, b"new layer")
    assert store.prune() > 0
    assert not store.path(digests.of(b"old layer")).exists()
    assert store.image(NAME).manifest.layers[0].digest == digests.of(b"new layer")
    assert store.prune() == 0
    assert store.untag(NAME)
    assert not store.untag(NAME)


def test_origins_are_remembered_latest_last_and_bounded(store: ImageStore) -> None:
    """Where a blob was pushed to is kept, each place once and not for ever."""
    digest = store.write(b"x")
    for number in [*range(20), 15]:
        store.add_origin(digest, f"a.b/m{number}")
    assert store.origins(digest)[-1] == "a.b/m15"
    assert len(store.origins(digest)) == 8
    assert store.origins(digests.of(b"y")) == []


def test_nothing_is_removed_while_another_command_works(store: ImageStore) -> None:
    """A build has found a layer and not named its image yet; whoever prunes is told to come again."""
    store.write(b"found, and not named yet")
    with store.working(), store.working(), pytest.raises(StoreBusyError) as caught:
        store.prune()
    assert "cog gc" in str(caught.value.hint)
    assert store.prune() == 24


def test_pruning_keeps_the_images_of_an_index(store: ImageStore) -> None:
    """And removes what ended commands left half-written."""
    image = put_image(store, Reference.parse("child"))
    index, data = describe(Index(schema_version=2, media_type=INDEX, manifests=[image]), INDEX)
    store.write(data)
    store.tag(Reference.parse("all"), index)
    store.untag(Reference.parse("child"))
    (store.root / "tmp" / "left").write_bytes(b"half")
    assert store.prune() == 4
    assert store.has(image)
    manifest = decode(store.read(image.digest), Manifest, what="it")
    assert all(store.has(each) for each in [manifest.config, *manifest.layers])


def _variant(store: ImageStore, architecture: str) -> Descriptor:
    layer = store.write(architecture.encode())
    config = encode(ImageConfig(architecture=architecture, os="linux", rootfs=RootFs(diff_ids=[layer])))
    own = Descriptor(media_type=CONFIG, digest=store.write(config), size=len(config))
    above = Descriptor(media_type=LAYER_GZIP, digest=layer, size=len(architecture))
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=[above])
    descriptor, data = describe(manifest, MANIFEST)
    store.write(data)
    return descriptor


def test_a_name_may_mean_an_image_for_each_platform(store: ImageStore) -> None:
    """All of them are found, and the one for this machine where one is wanted; none of their blobs is pruned."""
    parts = [_variant(store, architecture) for architecture in ("riscv64", "amd64", "arm64")]
    index, data = describe(Index(schema_version=2, media_type=INDEX, manifests=parts), INDEX)
    store.write(data)
    store.tag(NAME, index)
    assert [each.config.architecture for each in store.images(NAME)] == ["riscv64", "amd64", "arm64"]
    found = store.image(NAME)
    assert found.config.architecture in {"amd64", "arm64"}
    assert found.index is not None
    assert found.index.digest == index.digest
    assert store.prune() == 0
    assert len(store.images(NAME)) == 3


def about(store: ImageStore, image: Descriptor, text: bytes) -> Manifest:
    """Make a manifest about an image that holds a text."""
    empty = Descriptor(media_type="application/vnd.oci.empty.v1+json", digest=store.write(b"{}"), size=2)
    blob = Descriptor(media_type="text/plain", digest=store.write(text), size=len(text))
    return Manifest(
        schema_version=2, media_type=MANIFEST, artifact_type="text/plain", config=empty, layers=[blob], subject=image
    )  # fmt: skip


def test_what_is_attached_goes_with_its_image(store: ImageStore) -> None:
    """It is found by the image's digest, replaced as a whole, kept while the image is, and pruned after it."""
    image = put_image(store, NAME)
    store.attach(image.digest, [about(store, image, b"old")])
    store.attach(image.digest, [about(store, image, b"new"), about(store, image, b"other")])
    found = store.referrers(image.digest)
    assert [store.read(manifest.layers[0].digest) for _, manifest in found] == [b"new", b"other"]
    assert all(descriptor.artifact_type == "text/plain" for descriptor, _ in found)
    assert list(store.names()) == ["hello:latest"]
    store.prune()
    assert len(store.referrers(image.digest)) == 2
    assert not store.path(digests.of(b"old")).exists()
    store.untag(NAME)
    store.prune()
    assert store.referrers(image.digest) == ()
    assert not store.path(digests.of(b"new")).exists()


def test_edits_do_not_make_the_list_of_images_longer(store: ImageStore) -> None:
    """Every build attaches documents; those of the image that had the name before are forgotten with it."""
    for number in range(5):
        image = put_image(store, NAME, b"%d" % number)
        store.attach(image.digest, [about(store, image, b"about %d" % number)])
    listed = decode((store.root / "index.json").read_bytes(), Index, what="the index").manifests
    assert len(listed) == 2
    assert len(store.referrers(image.digest)) == 1


def test_what_is_attached_stays_with_another_name_of_its_image(store: ImageStore) -> None:
    """By a name of its own, or as one platform's image of an index; naming it again changes nothing."""
    own, within = put_image(store, NAME, b"one"), put_image(store, Reference.parse("other"), b"two")
    index, data = describe(Index(schema_version=2, media_type=INDEX, manifests=[within]), INDEX)
    store.write(data)
    store.tag(Reference.parse("second"), own)
    store.tag(Reference.parse("all"), index)
    for image in (own, within):
        store.attach(image.digest, [about(store, image, image.digest.encode())])
    store.tag(NAME, own)
    put_image(store, NAME, b"three")
    put_image(store, Reference.parse("other"), b"four")
    assert len(store.referrers(own.digest)) == len(store.referrers(within.digest)) == 1
    put_image(store, Reference.parse("all"), b"five")
    assert len(store.referrers(own.digest)) == 1
    assert store.referrers(within.digest) == ()
    put_image(store, Reference.parse("second"), b"six")
    assert store.referrers(own.digest) == ()
