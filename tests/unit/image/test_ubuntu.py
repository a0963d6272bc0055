"""Ubuntu's archive: where it is said to be, by which key it is believed, and what an image is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.image.bases.debian.mirror import UBUNTU_COMPONENTS, Mirror, read_sources
from cogyard.image.bases.debian.release import archive_keys
from cogyard.image.bases.debian.ubuntu import Wanted, addresses, find_archive, sources
from cogyard.image.download import Downloader
from cogyard.image.errors import DebianError

#: As python-apt-common has it: fields of one name come several times, and the same suite again for sources.
TOLD = """ChangelogURI: http://changes.example/%s

Suite: devel
RepositoryType: deb
BaseURI: http://ports.example/ubuntu-ports/
BaseURI-amd64: http://archive.example/ubuntu
Component: main
Component: universe

Suite: devel
ParentSuite: devel
RepositoryType: deb-src
BaseURI: http://archive.example/source/

Suite: devel-security
ParentSuite: devel
RepositoryType: deb
BaseURI: http://ports.example/ubuntu-ports/
BaseURI-amd64: http://security.example/ubuntu/
"""
ARCHIVE = Mirror(
    main="http://archive.example/ubuntu", security="http://security.example/ubuntu",
    components=UBUNTU_COMPONENTS,
)  # fmt: skip
PORTS = Mirror(
    main="http://ports.example/ubuntu-ports", security="http://ports.example/ubuntu-ports",
    components=UBUNTU_COMPONENTS,
)  # fmt: skip
HERE = """Types: deb
URIs: http://near.example/ubuntu
Suites: noble noble-updates noble-security
Components: main restricted
"""


def wanted(codename: str = "noble", architecture: str = "amd64", own: str = "") -> Wanted:
    """Return a wish, with a base's own list where there is one."""
    lists = (("etc/apt/sources.list.d/ubuntu.sources", own),) if own else ()
    return Wanted(codename=codename, architecture=architecture, own=lists)


def machine(folder: Path, text: str = "") -> Path:
    """Return the folder of a machine's apt with this list."""
    if text:
        (folder / "sources.list.d").mkdir()
        (folder / "sources.list.d" / "ubuntu.sources").write_text(text)
    return folder


def test_the_shipped_key_is_ubuntus() -> None:
    """It is the one of 2018, by the fingerprint that Ubuntu publishes, and no other."""
    (key,) = archive_keys("Ubuntu")
    assert key.fingerprint.upper() == "F6ECB3762474EDA9D21B7022871920D1991BC93C"
    assert "Ubuntu Archive Automatic Signing Key (2018)" in str(key.user_ids[0])


def test_addresses_are_read_from_a_package_s_words() -> None:
    """Each architecture has its own, but that newer releases have all in one archive; what is no address is none."""
    assert addresses(TOLD, wanted()) == ARCHIVE
    assert addresses(TOLD, wanted("jammy", "arm64")) == PORTS
    assert addresses(TOLD, wanted("noble", "arm64")) == PORTS
    assert addresses(TOLD, wanted("resolute", "arm64")) == ARCHIVE
    for words in ("", "Suite: devel\n", TOLD.replace("http", "file")):
        assert addresses(words, wanted()) is None


def test_an_image_s_apt_is_told_where_its_release_is(tmp_path: Path) -> None:
    """With updates, security and all components, by the keyring in the image; nothing where nothing is known."""
    text = sources(TOLD, wanted("jammy", "arm64"))
    found = read_sources(machine(tmp_path, text))
    assert [(each.uri, each.suites) for each in found] == [
        ("http://ports.example/ubuntu-ports", ("jammy", "jammy-updates")),
        ("http://ports.example/ubuntu-ports", ("jammy-security",)),
    ]
    assert {each.components for each in found} == {("main", "universe", "restricted", "multiverse")}
    assert text.count("Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n") == 2
    assert sources("", wanted()) == ""


def test_a_setting_names_the_archive(tmp_path: Path) -> None:
    """The one for ports counts where a release has them, and where it is not set the other does."""
    both = {
        "COGYARD_UBUNTU_MIRROR": "http://m.example/u/",
        "COGYARD_UBUNTU_PORTS_MIRROR": "http://p.example/u",
    }
    one = {"COGYARD_UBUNTU_MIRROR": "http://m.example/u/"}
    apt = machine(tmp_path, HERE)

    def main(what: Wanted, environment: dict[str, str]) -> str:
        with Downloader(tmp_path / "cache") as downloader:
            return find_archive(what, environment, downloader, machine="amd64", apt=apt).main

    assert main(wanted(), both) == "http://m.example/u"
    assert main(wanted("noble", "arm64"), both) == "http://p.example/u"
    assert main(wanted("resolute", "arm64"), both) == "http://m.example/u"
    assert main(wanted("noble", "arm64"), one) == "http://m.example/u"


def test_the_base_s_own_list_comes_before_the_machine_s(tmp_path: Path) -> None:
    """And the machine's only for what its archive has: not for another kind of processor's ports."""
    apt = machine(tmp_path, HERE)
    own = "Types: deb\nURIs: http://own.example/u\nSuites: noble noble-updates\nComponents: main\n"
    with Downloader(tmp_path / "cache") as downloader:
        of_base = find_archive(wanted(own=own), {}, downloader, machine="amd64", apt=apt)
        near = find_archive(wanted("jammy"), {}, downloader, machine="amd64", apt=apt)
        same = find_archive(wanted("noble", "arm64"), {}, downloader, machine="arm64", apt=apt)
    assert (of_base.main, of_base.components) == ("http://own.example/u", ("main",))
    assert (near.main, near.security) == ("http://near.example/ubuntu", None)
    assert near.components == UBUNTU_COMPONENTS
    assert same == near


@pytest.mark.parametrize(
    ("what", "setting"),
    [
        (wanted(), "COGYARD_UBUNTU_MIRROR"),
        (wanted("jammy", "arm64"), "COGYARD_UBUNTU_PORTS_MIRROR"),
        (wanted(own="Types: deb\nURIs: http://x.example\nSuites: jammy jammy-updates\nComponents: main\n"),
         "COGYARD_UBUNTU_MIRROR"),
    ],
)  # fmt: skip
def test_a_machine_that_knows_no_archive_is_told_what_to_set(
    tmp_path: Path, what: Wanted, setting: str
) -> None:
    """The release, the architecture and the variable are named."""
    with Downloader(tmp_path / "cache") as downloader, pytest.raises(DebianError) as caught:
        find_archive(what, {}, downloader, machine="amd64", apt=tmp_path)
    assert f"no archive of Ubuntu {what.codename} for {what.architecture}" in caught.value.message
    assert setting in (caught.value.hint or "")
