"""Images come out of a tar whole and checked, or not at all, whatever the tar holds."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cogyard.image.archive import write_archive, write_archive_of
from cogyard.image.carried import Beside
from cogyard.image.contents import ArchiveError
from cogyard.image.errors import ImageError
from cogyard.image.load import load
from cogyard.oci.config import ImageConfig, RootFs
from cogyard.oci.descriptor import CONFIG, LAYER, LAYER_GZIP, LAYER_ZSTD, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.reference import Reference
from cogyard.testing.compressed import zstd

LAYER_DATA = b"layer" * 1000


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """Give an empty store."""
    return ImageStore(tmp_path / "images")


def put_image(store: ImageStore, name: str, content: bytes = LAYER_DATA) -> Descriptor:
    """Keep an image of one layer under a name."""
    layer = Descriptor(media_type=LAYER, digest=store.write(content), size=len(content))
    data = encode(ImageConfig(architecture="amd64", os="linux", rootfs=RootFs(diff_ids=[of(content)])))
    own = Descriptor(media_type=CONFIG, digest=store.write(data), size=len(data))
    descriptor, manifest = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=[layer]), MANIFEST
    )
    store.write(manifest)
    store.tag(Reference.parse(name), descriptor)
    return descriptor


def saved(store: ImageStore, name: str) -> bytes:
    """Return an image as `cog save` writes it."""
    out = io.BytesIO()
    write_archive(store, store.image(Reference.parse(name)), out)
    return out.getvalue()


def tar(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """Make a tar of files and of ready members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for each in members:
            if isinstance(each, tarfile.TarInfo):
                archive.addfile(each)
                continue
            info = tarfile.TarInfo(each[0])
            info.size = len(each[1])
            archive.addfile(info, io.BytesIO(each[1]))
    return out.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Make a link, or any other member without content."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def take(store: ImageStore, data: bytes, **how: Any) -> tuple[str, ...]:
    """Load an archive; return the names."""
    return tuple(
        each.reference.familiar for each in load(store, io.BytesIO(data), architecture="amd64", **how)
    )


def docker(config: bytes, layers: list[str], tags: list[str] | None) -> tuple[str, bytes]:
    """Make the manifest.json of a docker archive."""
    own = f"{of(config).removeprefix('sha256:')}.json"
    return "manifest.json", json.dumps([{"Config": own, "RepoTags": tags, "Layers": layers}]).encode()


def docker_config(*layers: bytes) -> bytes:
    """Make a docker image's configuration."""
    diff_ids = [of(each) for each in layers]
    document = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    return json.dumps(document).encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
def test_what_was_saved_is_loaded(store: ImageStore, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Under its name and digest, byte for byte, compressed or not."""
    descriptor = put_image(store, "a.example/me/model:v1")
    other = ImageStore(tmp_path / "other")
    assert take(other, pack(saved(store, "a.example/me/model:v1"))) == ("a.example/me/model:v1",)
    found = other.image(Reference.parse("a.example/me/model:v1"))
    assert found.descriptor.digest == descriptor.digest
    assert other.path(found.manifest.layers[0].digest).read_bytes() == LAYER_DATA


def test_an_archive_of_docker_is_loaded(store: ImageStore) -> None:
    """Plain layers, one of them there twice by a link, and every name it has."""
    config = docker_config(b"base", b"top", b"base")
    data = tar(
        ("0/layer.tar", b"base"), ("1/layer.tar", b"top"), link("2/layer.tar", "../0/layer.tar"),
        (f"{of(config).removeprefix('sha256:')}.json", config), ("repositories", b"{}"),
        docker(config, ["0/layer.tar", "1/layer.tar", "2/layer.tar"], ["model:v1", "model:latest"]),
    )  # fmt: skip
    assert take(store, data) == ("model:v1", "model:latest")
    found = store.image(Reference.parse("model:v1"))
    assert [store.path(each.digest).read_bytes() for each in found.manifest.layers] == [
        b"base",
        b"top",
        b"base",
    ]
    assert {each.media_type for each in found.manifest.layers} == {LAYER}


def test_compressed_layers_of_docker_are_loaded(store: ImageStore) -> None:
    """As they are, and called what their bytes say: the archive itself does not tell."""
    config = docker_config(b"one", b"two")
    take(store, tar(
        ("1", gzip.compress(b"one")), ("2", zstd(b"two")),
        (f"{of(config).removeprefix('sha256:')}.json", config), docker(config, ["1", "2"], ["m:1"]),
    ))  # fmt: skip
    found = store.image(Reference.parse("m:1"))
    assert [each.media_type for each in found.manifest.layers] == [LAYER_GZIP, LAYER_ZSTD]


def test_an_image_without_a_name_needs_one(store: ImageStore) -> None:
    """The message says how to give it; a name of one's own also stands in the place of the archive's."""
    config = docker_config(b"base")
    own = (f"{of(config).removeprefix('sha256:')}.json", config)
    data = tar(("l.tar", b"base"), own, docker(config, ["l.tar"], None))
    with pytest.raises(ArchiveError) as caught:
        take(store, data)
    assert "--tag" in str(caught.value.hint)
    assert store.names() == {}
    assert take(store, data, tag=Reference.parse("mine")) == ("mine:latest",)


CONFIGURATION = docker_config(b"base")
OWN = (f"{of(CONFIGURATION).removeprefix('sha256:')}.json", CONFIGURATION)
WHOLE = (("l.tar", b"base"), OWN, docker(CONFIGURATION, ["l.tar"], ["model:v1"]))
BIG_HEADER = tarfile.TarInfo("x")
BIG_HEADER.pax_headers = {"comment": "x" * (2 << 20)}


DISHONEST = [
    (b"", "cannot be read"),
    (b"not a tar" * 500, "cannot be read"),
    (gzip.compress(tar(*WHOLE))[:-40], "cannot be read"),
    (tar(*WHOLE)[:700], "cannot be read"),
    (tar(("readme", b"hello")), "holds no image"),
    (tar(*WHOLE, ("../escape", b"x")), "leads out of it"),
    (tar(*WHOLE, ("/etc/passwd", b"x")), "leads out of it"),
    (tar(*WHOLE, ("a/../../b", b"x")), "leads out of it"),
    (tar(*WHOLE, link("l", "/etc/passwd")), "leads out of the archive"),
    (tar(*WHOLE, link("a/l", "../../etc/passwd")), "leads out of the archive"),
    (tar(*WHOLE, link("hard", "../x", tarfile.LNKTYPE)), "leads out of the archive"),
    (tar(*WHOLE, link("dev", "", tarfile.CHRTYPE)), "neither a file nor a folder"),
    (tar(*WHOLE, link("pipe", "", tarfile.FIFOTYPE)), "neither a file nor a folder"),
    (tar(OWN, docker(CONFIGURATION, ["l.tar"], ["m:v1"])), "does not hold"),
    (tar(("l.tar", b"base"), docker(CONFIGURATION, ["l.tar"], ["m:v1"])), "does not hold"),
    (tar(("l.tar", b"base"), OWN, docker(CONFIGURATION, [], ["m:v1"])), "0 layers and 1 diffIDs"),
    (tar(("l.tar", b"other"), OWN, docker(CONFIGURATION, ["l.tar"], ["m:v1"])), "as its image says"),
    (tar(("l.tar", b"base"), OWN, docker(CONFIGURATION, ["l.tar"], ["Bad Name"])), "a name that is none"),
    (tar(*WHOLE[:2], docker(CONFIGURATION, ["../../../etc/passwd"], ["m:v1"])), "does not hold"),
    (tar(("manifest.json", b"[" * 50_000)), "manifest.json is not valid"),
    (tar(("manifest.json", b'[{"Config": 1}]')), "manifest.json is not valid"),
    (tar(("oci-layout", b"{}"), ("index.json", b"{}")), "index.json is not valid"),
    (tar((f"blobs/sha256/{'0' * 64}", b"x")), "holds something else"),
    (tar(("blobs/sha512/x", b"x")), "holds something else"),
]


# Named by number: archives would be names of thousands of characters, and not the same in every process.
@pytest.mark.parametrize(("data", "words"), DISHONEST, ids=map(str, range(len(DISHONEST))))
def test_what_is_not_honest_is_refused(store: ImageStore, tmp_path: Path, data: bytes, words: str) -> None:
    """In words, with no image named and no file written outside the store's own."""
    with pytest.raises(ImageError) as caught:
        take(store, data)
    assert words in caught.value.message
    assert store.names() == {}
    assert {path.name for path in tmp_path.iterdir()} == {"images"}
    store.prune()
    assert list((store.root / "blobs" / "sha256").iterdir()) == []
    assert list((store.root / "tmp").iterdir()) == []


def test_a_huge_header_is_refused_before_it_is_read(store: ImageStore) -> None:
    """Python's tarfile would take it into memory, whatever its size."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(BIG_HEADER)
    with pytest.raises(ArchiveError, match="header of"):
        take(store, out.getvalue())


def test_a_layout_s_sizes_are_held_to(store: ImageStore, tmp_path: Path) -> None:
    """A descriptor with another size than its blob, and a document too large to be one, are refused."""
    put_image(store, "a.example/me/model:v1")
    with tarfile.open(fileobj=io.BytesIO(saved(store, "a.example/me/model:v1"))) as archive:
        files = {each.name: (archive.extractfile(each) or io.BytesIO()).read() for each in archive}
    index = json.loads(files["index.json"])
    index["manifests"][0]["size"] += 1
    other = ImageStore(tmp_path / "other")
    with pytest.raises(ArchiveError, match="as is said of it"):
        take(other, tar(*(files | {"index.json": json.dumps(index).encode()}).items()))
    with pytest.raises(ArchiveError, match="the limit is"):
        take(other, tar(*(files | {"index.json": b" " * (5 << 20)}).items()))


def test_several_images_come_out_of_one_archive(store: ImageStore, tmp_path: Path) -> None:
    """`cog save A B`: each under its own name, and a layer that they share stands in the file once."""
    names = ["alice/one:latest", "alice/two:v2", "alice/same:latest"]
    for name, content in zip(names, [b"one", b"two", b"one"], strict=True):
        put_image(store, name, content)
    images = [(store.image(Reference.parse(name)), Beside()) for name in names]
    out = io.BytesIO()
    write_archive_of(store, images, out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        members = archive.getnames()
        docker = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]  # it is a file
    assert len(members) == len(set(members))
    assert [each["RepoTags"] for each in docker] == [[name] for name in names]
    other = ImageStore(tmp_path / "other")
    loaded = load(other, io.BytesIO(out.getvalue()), architecture="amd64")
    assert [each.reference.familiar for each in loaded] == names
    for name in names:
        reference = Reference.parse(name)
        assert other.image(reference).descriptor.digest == store.image(reference).descriptor.digest
