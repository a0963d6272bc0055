"""Bases that are images already: what is read out of them, from which forms, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cogyard.image.bases.base import Ubuntu
from cogyard.image.bases.choose import find_base
from cogyard.image.bases.facts import read_facts
from cogyard.image.bases.local import open_path, read_base
from cogyard.image.errors import BaseError
from cogyard.image.site import Site
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER, LAYER_GZIP, LAYER_ZSTD, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.errors import OciError
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.reference import Reference
from cogyard.testing.compressed import zstd

STATUS = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.41-12\n"
FILES = {
    "usr/bin/python3.11": b"\x7fELF",
    "usr/local/bin/python3.12": b"\x7fELF",
    "usr/bin/tini": b"x",
    "usr/lib/os-release": b'ID=debian\nVERSION_CODENAME="trixie"\n',
    "var/lib/dpkg/status": STATUS.encode(),
}


def root(files: Mapping[str, bytes] = FILES) -> bytes:
    """Return the tar of a root folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give a store and a cache to work in."""
    return Site(store=ImageStore(tmp_path / "images"), cache=tmp_path / "cache")


def layout(folder: Path, plain: bytes, *names: str) -> Path:
    """Write an OCI layout with one image under these names."""
    store = ImageStore(folder)
    packed = gzip.compress(plain, mtime=0)
    layer = Descriptor(media_type=LAYER_GZIP, digest=store.write(packed), size=len(packed))
    config = encode(
        ImageConfig(
            architecture="amd64",
            os="linux",
            rootfs=RootFs(diff_ids=[of(plain)]),
            config=RunConfig(env=["A=1"]),
        )
    )
    own = Descriptor(media_type=CONFIG, digest=store.write(config), size=len(config))
    descriptor, data = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=[layer]), MANIFEST
    )
    store.write(data)
    for name in names:
        store.tag(Reference.parse(name), descriptor)
    return folder


def saved(plain: bytes, diff_id: str | None = None) -> bytes:
    """Return the tar that docker save writes."""
    rootfs = {"type": "layers", "diff_ids": [diff_id or of(plain)]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs, "config": {}})
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["x:y"], "Layers": ["l/layer.tar"]}])
    return root({"c.json": config.encode(), "manifest.json": manifest.encode(), "l/layer.tar": plain})


def test_a_layers_facts_are_read(tmp_path: Path) -> None:
    """Pythons, distribution, C library and init are found; what a layer above takes away is gone."""
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(gzip.compress(root()[:1024]) + gzip.compress(root()[1024:]))
    two.write_bytes(root({"usr/local/bin/.wh.python3.12": b"", "opt/cog/model/bin/python3.11": b""}))
    descriptors = [Descriptor(media_type=each, digest=of(b""), size=1) for each in (LAYER_GZIP, LAYER)]
    below = read_facts([(descriptors[0], one)], "x")
    assert (below.codename, below.glibc, below.has_tini) == ("trixie", (2, 41), True)
    assert (below.python("3.12"), below.python("3.11")) == (
        "/usr/local/bin/python3.12",
        "/usr/bin/python3.11",
    )
    above = read_facts(zip(descriptors, (one, two), strict=True), "x")
    assert (above.python("3.12"), above.python("3.11")) == (None, "/usr/bin/python3.11")


def test_a_release_of_ubuntu_is_known_with_its_keys(tmp_path: Path) -> None:
    """Not without keys: then there is nobody whose word counts for its archive."""
    keys = "usr/share/keyrings/ubuntu-archive-keyring.gpg"
    release = b"ID=ubuntu\nVERSION_CODENAME=noble\n"
    noble = {**FILES, "usr/lib/os-release": release, keys: b"keys"}
    evil = {**noble, "usr/lib/os-release": b'ID=ubuntu\nVERSION_CODENAME="../noble"\n'}
    found: list[tuple[Ubuntu | None, str | None]] = []
    for files in (noble, {**noble, keys: b""}, evil, {**FILES, keys: b"keys"}):
        path = tmp_path / str(len(found))
        path.write_bytes(root(files))
        facts = read_facts([(Descriptor(media_type=LAYER, digest=of(b""), size=1), path)], "x")
        found.append((facts.ubuntu, facts.codename))
    none = (None, None)
    assert found == [(Ubuntu(codename="noble", keys=b"keys"), None), none, none, (None, "trixie")]


@pytest.mark.parametrize(
    "data", [b"\x1f\x8b broken", b"\x28\xb5\x2f\xfd broken", zstd(root())[:-20], b"no tar"]
)
def test_layers_that_cannot_be_read_are_refused(tmp_path: Path, data: bytes) -> None:
    """A broken layer is said so, however it is compressed."""
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(BaseError, match="a layer of x cannot be read"):
        read_facts([(Descriptor(media_type=LAYER_GZIP, digest=of(b""), size=1), path)], "x")


def test_layers_of_zstd_are_read(tmp_path: Path) -> None:
    """Also several frames one after another, with one between them that is to be skipped."""
    path, whole = tmp_path / "x", root()
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    path.write_bytes(zstd(whole[:1024]) + skipped + zstd(whole[1024:]))
    facts = read_facts([(Descriptor(media_type=LAYER_ZSTD, digest=of(b""), size=1), path)], "x")
    assert (facts.codename, facts.python("3.11")) == ("trixie", "/usr/bin/python3.11")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress, zstd])
def test_a_root_folder_in_a_tar_is_a_base(site: Site, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Compressed or not, it becomes one gzip layer whose bytes depend on the tar alone."""
    path = tmp_path / "root.tar"
    path.write_bytes(pack(root()))
    base = read_base(path, None, "amd64", site, python="3.11")
    assert (base.python, base.codename, base.glibc, base.has_tini) == (
        "/usr/bin/python3.11",
        "trixie",
        (2, 41),
        True,
    )
    assert base.layers[0].diff_id == of(root())
    assert gzip.decompress(site.store.path(base.layers[0].descriptor.digest).read_bytes()) == root()
    again = read_base(path, None, "amd64", site, python="3.11")
    assert again.layers == base.layers


def test_an_oci_layout_is_a_base(site: Site, tmp_path: Path) -> None:
    """A folder, a folder and a name, and a tar of the folder all give the same layers."""
    folder = layout(tmp_path / "lay", root(), "one", "two")
    named = find_base(f"{folder}:one:latest", "3.11", "amd64", site)
    assert (named.layers[0].diff_id, named.run.env) == (of(root()), ["A=1"])
    archive = tmp_path / "lay.tar"
    single = layout(tmp_path / "single", root(), "one")
    with tarfile.open(archive, "w") as tar:
        tar.add(single, ".")
    assert find_base(f"{archive}:one:latest", "3.11", "amd64", site).layers == named.layers
    assert find_base(str(single), "3.11", "amd64", site).layers == named.layers
    with pytest.raises(BaseError) as caught:
        find_base(f"{folder}:none", "3.11", "amd64", site)
    assert "one:latest" in (caught.value.hint or "")


def test_a_docker_archive_is_a_base(site: Site, tmp_path: Path) -> None:
    """What docker save wrote is read, its plain layers packed."""
    path = tmp_path / "saved.tar"
    path.write_bytes(saved(root()))
    base = read_base(path, None, "amd64", site, python="3.11")
    assert (base.layers[0].diff_id, base.layers[0].descriptor.media_type) == (of(root()), LAYER_GZIP)
    assert base.digest is None
    path.write_bytes(saved(zstd(root()), of(root())))
    packed = read_base(path, None, "amd64", site, python="3.11")
    assert (packed.layers[0].diff_id, packed.layers[0].descriptor.media_type) == (of(root()), LAYER_ZSTD)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(root(), of(b"another")), "not .* as its image says"),
        (root({"manifest.json": b"[", "x": b""}), "manifest.json is not valid"),
        (root({"manifest.json": b'[{"Config": "../c", "Layers": []}]'}), "which it does not hold"),
        (root({"oci-layout": b"{}", "index.json": b"{}"}), "index.json"),
    ],
)
def test_an_archive_that_is_not_honest_is_no_base(
    site: Site, tmp_path: Path, data: bytes, words: str
) -> None:
    """It is held to what `cog load` holds archives to."""
    path = tmp_path / "saved.tar"
    path.write_bytes(data)
    with pytest.raises((BaseError, OciError), match=words):
        read_base(path, None, "amd64", site, python="3.11")


def test_a_broken_blob_of_a_layout_is_refused(site: Site, tmp_path: Path) -> None:
    """Every blob is checked when it is taken in."""
    folder = layout(tmp_path / "lay", root(), "one")
    for blob in (folder / "blobs" / "sha256").iterdir():
        blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with pytest.raises((BaseError, OciError)):
        read_base(folder, None, "amd64", site, python="3.11")


@pytest.mark.parametrize(
    "members",
    [
        {"manifest.json": b'[{"Config":"../../etc/passwd","Layers":[]}]'},
        {"manifest.json": b"[]"},
        {
            "manifest.json": b'[{"Config":"c.json","Layers":["gone"]}]',
            "c.json": b'{"architecture":"amd64","os":"linux","rootfs":{}}',
        },
    ],
)
def test_a_hostile_archive_is_refused(site: Site, tmp_path: Path, members: Mapping[str, bytes]) -> None:
    """Names that point out of the archive, or to nothing, are no base."""
    path = tmp_path / "x.tar"
    path.write_bytes(root(members))
    with pytest.raises(BaseError):
        read_base(path, None, "amd64", site, python="3.11")


def test_a_base_without_the_python_names_those_it_has(site: Site, tmp_path: Path) -> None:
    """The message tells which Pythons there are."""
    path = tmp_path / "root.tar"
    path.write_bytes(root())
    with pytest.raises(BaseError) as caught:
        read_base(path, None, "amd64", site, python="3.13")
    assert "3.11, 3.12" in caught.value.message


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("/no/such/folder", "no such file"), ("./x.tar", "no such file"), ("assemble:sarge", "bookworm, trixie"),
        ("assemble:trixie", "Debian trixie has Python 3.13"), ("assemble:noble", "Ubuntu noble has Python 3.12"),
        ("junk", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_base_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: str, words: str
) -> None:
    """Each mistake has its own words."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk").write_bytes(b"no tar")
    with pytest.raises(BaseError) as caught:
        find_base(choice, "3.11", "amd64", site)
    assert words in caught.value.message


def test_a_release_s_mistyped_name_is_recognized(site: Site) -> None:
    """Of Debian's and of Ubuntu's alike; a name that is like none gets no guess."""
    hints = []
    for name in ("nobel", "bookwurm", "sarge"):
        with pytest.raises(BaseError) as caught:
            find_base(f"assemble:{name}", "3.12", "amd64", site)
        hints.append(caught.value.hint)
    assert hints == ["Did you mean assemble:noble?", "Did you mean assemble:bookworm?", None]


def test_a_base_is_looked_at_once(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time it is remembered, until its file changes, a refresh, or until the store loses it."""
    path = tmp_path / "root.tar"
    path.write_bytes(root())
    first = find_base(str(path), "3.11", "amd64", site)
    with monkeypatch.context() as patch:
        patch.setattr("cogyard.image.bases.local.read_base", None)  # who reads one fails
        assert find_base(str(path), "3.11", "amd64", site) == first
        with pytest.raises(TypeError):
            find_base(str(path), "3.11", "amd64", site, refresh=True)
    path.write_bytes(root({**FILES, "new": b"1"}))
    fresh = find_base(str(path), "3.11", "amd64", site)
    assert fresh.layers != first.layers
    site.store.path(fresh.layers[0].descriptor.digest).unlink()
    assert find_base(str(path), "3.11", "amd64", site).layers == fresh.layers


def test_a_base_names_a_file_only_when_there_is_one(tmp_path: Path) -> None:
    """An image's name with a tag is no folder."""
    assert open_path("python:3.11-slim") is None
    assert open_path(f"{tmp_path}:name") == (tmp_path, "name")
