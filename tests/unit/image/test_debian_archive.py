"""The archive's signature, its mirror, and the linker's cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pysequoia
import pytest
from cogyard.image.bases.debian import linker
from cogyard.image.bases.debian.mirror import Mirror, find_mirror, ubuntu_mirror
from cogyard.image.bases.debian.release import archive_keys, read_release
from cogyard.image.errors import DebianError
from hypothesis import given
from hypothesis import strategies as st

RELEASE = f"""Origin: Debian
Codename: bookworm
Version: 12.9
SHA256:
 {"a" * 64} 123 main/binary-amd64/Packages.xz
"""


@pytest.fixture(scope="module")
def key() -> pysequoia.Tsk:
    """Give a key of our own that signs."""
    return pysequoia.Tsk.generate("test")


def signed(text: str, key: pysequoia.Tsk) -> bytes:
    """Return a text signed in the clear, as InRelease is."""
    signer = key.signer()
    return bytes(pysequoia.sign(signer, text.encode(), mode=pysequoia.SignatureMode.CLEAR))


def test_a_signed_release_is_read(key: pysequoia.Tsk) -> None:
    """Its files' checksums and sizes are known once the signature holds."""
    release = read_release(signed(RELEASE, key), [key.extract_certificate()], codename="bookworm")
    assert (release.codename, release.version) == ("bookworm", "12.9")
    assert release.files == {"main/binary-amd64/Packages.xz": ("a" * 64, 123)}


def test_a_changed_or_foreign_release_is_refused(key: pysequoia.Tsk) -> None:
    """A changed byte, another's key, no signature, another release: none is believed."""
    good = signed(RELEASE, key)
    other = pysequoia.Tsk.generate("other")
    cases = [
        (good.replace(b" 123 ", b" 124 "), [key.extract_certificate()], "bookworm"),
        (good, [other.extract_certificate()], "bookworm"),
        (good, [], "bookworm"),
        (RELEASE.encode(), [key.extract_certificate()], "bookworm"),
        (b"", [key.extract_certificate()], "bookworm"),
        (good, [key.extract_certificate()], "trixie"),
        (
            signed(RELEASE.replace("Origin: Debian", "Origin: Other"), key),
            [key.extract_certificate()],
            "bookworm",
        ),
    ]
    for data, keys, codename in cases:
        with pytest.raises(DebianError) as caught:
            read_release(data, keys, codename=codename)
        assert "stack backtrace" not in caught.value.message.lower()


def test_text_before_the_signed_part_is_not_believed(key: pysequoia.Tsk) -> None:
    """Only what the signature covers is read."""
    evil = f"Codename: bookworm\nSHA256:\n {'b' * 64} 1 main/binary-amd64/Packages.xz\n\n".encode()
    try:
        release = read_release(evil + signed(RELEASE, key), [key.extract_certificate()], codename="bookworm")
    except DebianError:
        return
    assert release.files["main/binary-amd64/Packages.xz"][0] == "a" * 64


def test_only_the_distribution_that_was_asked_for_is_believed(key: pysequoia.Tsk) -> None:
    """Ubuntu's archive says Ubuntu, whoever signs it."""
    text = RELEASE.replace("Origin: Debian", "Origin: Ubuntu").replace("bookworm", "noble")
    keys = [key.extract_certificate()]
    assert read_release(signed(text, key), keys, codename="noble", origin="Ubuntu").codename == "noble"
    with pytest.raises(DebianError, match="answers for 'noble' where Debian 'noble' was asked for"):
        read_release(signed(text, key), keys, codename="noble")


OTHERS = "deb http://other.example/ubuntu noble main\n"
NOBLE = """Types: deb
URIs: http://ports.example/ubuntu-ports/
Suites: noble noble-updates noble-backports
Components: main universe

Types: deb
URIs: http://security.example/ubuntu-ports/
Suites: noble-security
Components: main universe
"""
JAMMY = """deb http://archive.example/ubuntu/ jammy main restricted
deb http://archive.example/ubuntu/ jammy-updates main restricted
deb http://archive.example/ubuntu/ jammy universe
deb http://archive.example/ubuntu/ jammy-security main
"""


def test_ubuntu_s_mirror_is_the_base_s_own() -> None:
    """In both formats, not the archives of others beside it; with the components that its apt takes."""
    noble = Mirror(
        main="http://ports.example/ubuntu-ports", security="http://security.example/ubuntu-ports",
        components=("main", "universe"),
    )  # fmt: skip
    own = [
        ("etc/apt/sources.list.d/other.list", OTHERS),
        ("etc/apt/sources.list.d/ubuntu.sources", NOBLE),
    ]
    assert ubuntu_mirror(None, "noble", own) == noble
    archive = "http://archive.example/ubuntu"
    jammy = Mirror(main=archive, security=archive, components=("main", "restricted", "universe"))
    assert ubuntu_mirror(None, "jammy", [("etc/apt/sources.list", JAMMY)]) == jammy


def test_a_setting_names_ubuntu_s_mirror() -> None:
    """For all of it; without one and without a list there is none."""
    here = Mirror(main="http://m.example/u", security="http://m.example/u", components=("main", "universe"))
    assert ubuntu_mirror("http://m.example/u/", "noble", []) == here
    assert ubuntu_mirror(None, "noble", [("etc/apt/sources.list", JAMMY)]) is None


def test_the_shipped_keys_are_debians() -> None:
    """The keys of both releases are there."""
    keys = archive_keys()
    names = " ".join(str(user) for each in keys for user in each.user_ids)
    assert "bookworm" in names
    assert "trixie" in names


SOURCES = """Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /x

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: https://other.example/node
Suites: nodistro
Components: main
"""


def test_the_mirror_is_the_machines(tmp_path: Path) -> None:
    """Both of apt's formats are read; other archives and disabled entries are not taken for Debian's."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("# deb http://off.example/debian bookworm main\n")
    (tmp_path / "sources.list.d" / "a.list").write_text(
        "deb [arch=amd64] https://vendor.example/apt vendor-bookworm main\n"
    )
    (tmp_path / "sources.list.d" / "debian.sources").write_text(SOURCES)
    expected = Mirror(main="http://mirror.example/debian", security="http://mirror.example/debian-security")
    assert find_mirror({}, tmp_path) == expected
    (tmp_path / "sources.list").write_text("deb [ signed-by=/x ] http://first.example/debian trixie main\n")
    assert find_mirror({}, tmp_path).main == "http://first.example/debian"


def test_the_setting_comes_first_and_its_absence_is_explained(tmp_path: Path) -> None:
    """Without apt and without the setting, the message says what to set."""
    assert find_mirror({"COGYARD_DEBIAN_MIRROR": "http://m.example/d/"}, tmp_path) == Mirror(
        main="http://m.example/d"
    )
    with pytest.raises(DebianError) as caught:
        find_mirror({}, tmp_path)
    assert "COGYARD_DEBIAN_MIRROR" in (caught.value.hint or "")


def test_the_linkers_cache_reads_back() -> None:
    """What is written is what is read, sorted as the linker searches: numbers by value, greatest first."""
    names = ["libz.so.1", "liba.so.9", "liba.so.10", "libc.so.6", "libc++.so.1"]
    libraries = [linker.Library(soname=name, path=f"/lib/{name}") for name in names]
    data = linker.write_cache([*libraries, linker.Library(soname="libz.so.1", path="/other")], "amd64")
    assert [each.soname for each in linker.read_cache(data)] == [
        "libz.so.1", "libc.so.6", "libc++.so.1", "liba.so.10", "liba.so.9",
    ]  # fmt: skip
    assert {each.path for each in linker.read_cache(data) if each.soname == "libz.so.1"} == {"/lib/libz.so.1"}


@given(st.binary(max_size=300))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    """Foreign caches and libraries are read or left."""
    linker.read_cache(data)
    linker.read_cache(b"glibc-ld.so.cache1.1" + data)
    linker.soname_of(b"\x7fELF\x02\x01" + data, "amd64")


def test_a_library_of_this_machine_says_its_name() -> None:
    """The C library names itself, and only for its own architecture."""
    found = sorted(Path("/lib").glob("*-linux-gnu/libc.so.6"))
    if not found:
        pytest.skip("this machine has no Debian C library")
    architecture = {"x86_64-linux-gnu": "amd64", "aarch64-linux-gnu": "arm64"}[found[0].parent.name]
    other = {"amd64": "arm64", "arm64": "amd64"}[architecture]
    data = found[0].read_bytes()
    assert linker.soname_of(data, architecture) == "libc.so.6"
    assert linker.soname_of(data, other) is None
    assert hashlib.sha256(data).hexdigest()


def test_folders_of_configuration_come_first() -> None:
    """Folders from ld.so.conf.d are searched before Debian's own, each once."""
    texts = ["# comment\n/usr/local/lib\n/lib/x86_64-linux-gnu\n", "include /etc/x\n/opt/demo/../lib\n"]
    assert linker.folders(texts, "amd64") == [
        "usr/local/lib",
        "usr/lib/x86_64-linux-gnu",
        "opt/demo/lib",
        "usr/lib",
    ]
