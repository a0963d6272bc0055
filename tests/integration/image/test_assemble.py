"""A base put together of a small archive's packages that are made, signed and compressed as Ubuntu's are."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pysequoia
import pytest
from cogyard.image.bases.base import Base, Ubuntu
from cogyard.image.bases.debian.archive import open_archive
from cogyard.image.bases.debian.assemble import (
    BASE_PACKAGES,
    ESSENTIAL,
    Assembled,
    assemble_base,
    assemble_system,
)
from cogyard.image.bases.debian.index import Universe
from cogyard.image.bases.debian.mirror import ubuntu_mirror
from cogyard.image.bases.debian.ubuntu import Wanted, find_archive
from cogyard.image.download import Downloader
from cogyard.image.errors import DebianError, NeedsScriptsError
from cogyard.image.progress import Progress, Silent
from cogyard.image.site import Site
from cogyard.oci.config import RunConfig
from cogyard.oci.layout import ImageStore

from tests.integration.image.ubuntu import Offered, make_archive, serving

TOLD = """Suite: devel
RepositoryType: deb
BaseURI: http://ports.example/ubuntu-ports/
BaseURI-amd64: http://archive.example/ubuntu
"""
FILES = {
    "base-passwd": {"usr/share/base-passwd/passwd.master": "root:*:0:0:root:/root:/bin/bash\n"},
    "base-files": {"etc/dpkg/origins/ubuntu": "Vendor: Ubuntu\n", "lib/x": "", "usr/lib/y": ""},
    "ca-certificates": {"usr/share/ca-certificates/mozilla/A.crt": "AAA\n"},
    "python3": {"usr/bin/python3.12": "", "usr/share/man/man1/python3.1": "left out"},
    "ubuntu-keyring": {"usr/share/keyrings/ubuntu-archive-keyring.gpg": "keys"},
}
PACKAGES = [
    *(
        Offered(name=name, version="1", script="", files=FILES.get(name, {}))
        for name in (*BASE_PACKAGES, "ubuntu-keyring")
    ),
    *(
        Offered(name=name, version="1", script="", depends="libpam-modules" if name == "util-linux" else "")
        for name in ESSENTIAL
        if name not in {*BASE_PACKAGES, "usr-is-merged"}
    ),
    Offered(name="apt", version="1", script="", postinst="adduser --system _apt"),
    Offered(name="libpam-modules", version="1", script="", postinst="pam-auth-update"),
    Offered(name="tool", version="1", script="", postinst="adduser --system tool"),
    Offered(name="bash", version="1ubuntu1", script="echo newer", pocket="noble-updates"),
    Offered(
        name="python-apt-common", version="1", script="",
        files={"usr/share/python-apt/templates/Ubuntu.info": TOLD},
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def key() -> pysequoia.Tsk:
    """Give the key that signs the archive."""
    return pysequoia.Tsk.generate("Ubuntu Archive Automatic Signing Key (tests)")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, key: pysequoia.Tsk) -> Iterator[str]:
    """Serve the archive for both architectures; give its address."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    folder = tmp_path_factory.mktemp("ubuntu")
    make_archive(folder, key, PACKAGES, architecture="arm64")
    with serving(folder) as url:
        yield url


def _open(url: str, key: pysequoia.Tsk, downloader: Downloader) -> Universe:
    mirror = ubuntu_mirror(url, "noble", ())
    assert mirror is not None
    keys = [key.extract_certificate()]
    return open_archive(mirror, "noble", "arm64", downloader, keys, origin="Ubuntu")


def _assemble(
    url: str, key: pysequoia.Tsk, folder: Path, progress: Progress | None = None
) -> tuple[Assembled, Site]:
    site = Site(store=ImageStore(folder / "images"), cache=folder, progress=progress or Silent())
    with Downloader(folder / "debian") as downloader:
        return assemble_base("noble", "arm64", _open(url, key, downloader), downloader, site), site


def test_a_base_for_arm64_is_put_together(archive: str, key: pysequoia.Tsk, tmp_path: Path) -> None:
    """With updates, accounts, certificates, keys; its apt is told of the archive for that processor."""
    made, site = _assemble(archive, key, tmp_path)
    assert {each.name: each.version for each in made.packages}["bash"] == "1ubuntu1"
    assert "python-apt-common" not in made.status
    with tarfile.open(site.store.path(made.layer.digest)) as layer:
        found = {each.name: each for each in layer}
        text = {
            path: (layer.extractfile(found[path]) or pytest.fail(path)).read().decode()
            for path in ("etc/apt/sources.list.d/ubuntu.sources", "etc/passwd", "etc/ssl/certs/ca-certificates.crt")
        }  # fmt: skip
    sources, passwd, certificates = text.values()
    assert "URIs: http://ports.example/ubuntu-ports/\nSuites: noble noble-updates\n" in sources
    assert "Suites: noble-security\n" in sources
    assert (certificates, passwd.count("_apt:")) == ("AAA\n", 1)
    assert {"usr/lib/x", "usr/lib/y", "usr/share/keyrings/ubuntu-archive-keyring.gpg"} <= set(found)
    assert "usr/share/man/man1/python3.1" not in found
    assert found["lib"].linkname == "usr/lib"


class Heard(Silent):
    """A Progress that remembers what went on."""

    def __init__(self) -> None:
        self.details: list[str] = []

    def detail(self, text: str) -> None:
        """Remember it."""
        self.details.append(text)


def test_what_is_said_last_is_what_goes_on(archive: str, key: pysequoia.Tsk, tmp_path: Path) -> None:
    """Once all packages are here they are put together, and that is said; not what was fetched last."""
    heard = Heard()
    made, _ = _assemble(archive, key, tmp_path, heard)
    assert heard.details[-1] == f"putting {len(made.packages)} packages together"


def test_apt_comes_with_what_it_counts_on(archive: str, key: pysequoia.Tsk, tmp_path: Path) -> None:
    """Its script was read, and the essential packages come along, but for those that bring PAM; others' was not."""
    made, site = _assemble(archive, key, tmp_path)
    base = Base(
        name="ubuntu:noble", architecture="arm64", layers=(), run=RunConfig(), python="/usr/bin/python3.12",
        python_version="3.12", ubuntu=Ubuntu(codename="noble", keys=b"keys"), status=made.status,
    )  # fmt: skip
    with Downloader(tmp_path / "debian") as downloader:
        universe = _open(archive, key, downloader)
        added = assemble_system(["apt"], base, universe, downloader, site)
        assert added is not None
        names = {each.name for each in added.packages}
        assert {"apt", "diffutils", "perl-base", "ncurses-bin"} <= names
        assert not names & {"util-linux", "libpam-modules", "bash", "usr-is-merged"}
        with pytest.raises(NeedsScriptsError, match=r"the system package tool .*'adduser --system tool'"):
            assemble_system(["tool"], base, universe, downloader, site)


def test_its_digest_does_not_tell_where_it_came_from(
    archive: str, key: pysequoia.Tsk, tmp_path: Path
) -> None:
    """From a mirror at another address, in another folder, the same packages give the same layer."""
    first, _ = _assemble(archive, key, tmp_path / "one")
    second, _ = _assemble(archive.replace("127.0.0.1", "localhost"), key, tmp_path / "two")
    assert first.layer == second.layer


def test_the_archive_of_another_s_key_is_refused(archive: str, tmp_path: Path) -> None:
    """Whoever serves it."""
    other = pysequoia.Tsk.generate("somebody else")
    with pytest.raises(DebianError, match="Ubuntu noble's index"):
        _assemble(archive, other, tmp_path)


def test_a_machine_of_debian_need_not_be_told_where_ubuntu_is(
    archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: pysequoia.Tsk
) -> None:
    """The archive it uses has a package that says so; who uses another's, by nobody's key, gets no address of it."""
    wanted = Wanted(codename="noble", architecture="arm64")
    with Downloader(tmp_path / "debian") as downloader:
        universe = _open(archive, key, downloader)
        monkeypatch.setattr(  # the signatures of Debian's own archive have tests of their own
            "cogyard.image.bases.debian.ubuntu.open_archive", lambda *_, **__: universe
        )
        machine = {"COGYARD_DEBIAN_MIRROR": archive}
        found = find_archive(wanted, machine, downloader, machine="amd64", apt=tmp_path)
        assert found.main == "http://ports.example/ubuntu-ports"
        monkeypatch.undo()
        with pytest.raises(DebianError, match="no archive of Ubuntu noble for arm64 is known"):
            find_archive(wanted, machine, downloader, machine="amd64", apt=tmp_path)


def test_a_mirror_without_files_by_their_hash_will_do(key: pysequoia.Tsk, tmp_path: Path) -> None:
    """Its index is taken by name and held to the same checksum; one that it lacks altogether is said."""
    folder = tmp_path / "mirror"
    make_archive(folder, key, PACKAGES[:1], architecture="arm64")
    for hashed in sorted(folder.glob("dists/*/*/binary-arm64/by-hash")):
        compressed = next(path for path in sorted((hashed / "SHA256").iterdir()) if _is_xz(path))
        compressed.rename(hashed.parent / "Packages.xz")
        shutil.rmtree(hashed)
    with serving(folder) as url, Downloader(tmp_path / "cache") as downloader:
        assert _open(url, key, downloader).named(PACKAGES[0].name)
        (folder / "dists/noble/main/binary-arm64/Packages.xz").unlink()
    with serving(folder) as url, Downloader(tmp_path / "empty") as downloader:
        with pytest.raises(
            DebianError, match=r"no packages of Ubuntu noble for the architecture 'arm64'"
        ) as caught:
            _open(url, key, downloader)
        assert "COGYARD_UBUNTU_PORTS_MIRROR" in (caught.value.hint or "")


def _is_xz(path: Path) -> bool:
    return path.read_bytes().startswith(b"\xfd7zXZ")
