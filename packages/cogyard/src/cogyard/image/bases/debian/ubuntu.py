"""Where Ubuntu's archive is, for a machine that may be no Ubuntu, and how an image's apt is told of it.

No address stands here. Ubuntu and Debian both have a package that says where Ubuntu's archive is, `python-apt-common`,
and its signature is checked as any other's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from debian.deb822 import Deb822

from cogyard.image.bases.debian.archive import fetch, open_archive
from cogyard.image.bases.debian.deb import open_deb
from cogyard.image.bases.debian.index import Package, Universe
from cogyard.image.bases.debian.mirror import (
    UBUNTU_COMPONENTS,
    UBUNTU_PORTS_SETTING,
    UBUNTU_SETTING,
    Mirror,
    find_mirror,
    machine_mirror,
    ubuntu_mirror,
)
from cogyard.image.bases.debian.release import archive_keys
from cogyard.image.bases.debian.releases import UBUNTU_RELEASES
from cogyard.image.download import Downloader
from cogyard.image.errors import DebianError

#: Which Debian is asked where Ubuntu's archive is.
_DEBIAN = "trixie"
#: Releases that this machine may be of, though no base.
_OTHERS = ("questing", "focal")
#: The package that tells, and its file, which has had two names.
_TELLS = "python-apt-common"
_TEMPLATES = frozenset({f"usr/share/python-apt/templates/{name}.info" for name in ("Ubuntu", "ubuntu")})
#: Releases whose packages for other processors than amd64 are in an archive apart, called ports.
_WITH_PORTS = frozenset({"jammy", "noble"})
_COMPONENTS = "main universe restricted multiverse"
SOURCES = "etc/apt/sources.list.d/ubuntu.sources"
_KEYRING = "usr/share/keyrings/ubuntu-archive-keyring.gpg"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A release of Ubuntu for an architecture. `own` are the lists of archives that a base has: path and text."""

    codename: str
    architecture: str
    own: tuple[tuple[str, str], ...] = ()

    @property
    def of_ports(self) -> bool:
        """Whether it is in the archive for other processors."""
        return self.architecture != "amd64" and self.codename in _WITH_PORTS


def find_archive(
    wanted: Wanted,
    environment: Mapping[str, str],
    downloader: Downloader,
    *,
    machine: str,
    apt: Path = Path("/etc/apt"),
) -> Mirror:
    """Return the mirror to take a release from.

    It is the setting's; else the base's own; else that of this machine, whose architecture is `machine`, where its apt
    is Ubuntu's; else the one that this machine's archive, Debian's or Ubuntu's, names. Raises DebianError saying what
    to set.
    """
    setting = environment.get(UBUNTU_PORTS_SETTING) if wanted.of_ports else None
    setting = setting or environment.get(UBUNTU_SETTING)
    if (found := ubuntu_mirror(setting, wanted.codename, wanted.own)) is not None:
        return found
    near = machine_mirror(apt, (*UBUNTU_RELEASES, *_OTHERS))
    if near is not None and (machine == wanted.architecture or (machine == "amd64" and not wanted.of_ports)):
        return near[1]
    found = addresses(_ask(near, machine, environment, downloader, apt), wanted)
    if found is None:
        name = UBUNTU_PORTS_SETTING if wanted.of_ports else UBUNTU_SETTING
        raise DebianError(
            f"no archive of Ubuntu {wanted.codename} for {wanted.architecture} is known on this machine",
            hint=f"Set {name} to the address of one, the part before /dists.",
        )
    return found


def telling(universe: Universe) -> list[Package]:
    """Return the package of an archive that says where Ubuntu's archive is, or nothing."""
    return universe.named(_TELLS)[:1]


def read_told(packages: list[Package], downloader: Downloader) -> str:
    """Fetch that package and return its words; empty when it has none."""
    for path in fetch(packages, downloader).values():
        with open_deb(path, _TELLS) as deb:
            for entry in deb.entries():
                if entry.path in _TEMPLATES and entry.kind == "file":
                    return deb.read(entry).read().decode("utf-8", "replace")
    return ""


def addresses(told: str, wanted: Wanted) -> Mirror | None:
    """Return the addresses that those words give a release; None when they give none."""
    field = "BaseURI" if wanted.of_ports else "BaseURI-amd64"
    main = _address(told, "devel", field)
    if main is None:
        return None
    return Mirror(
        main=main, security=_address(told, "devel-security", field) or main, components=UBUNTU_COMPONENTS
    )


def sources(told: str, wanted: Wanted) -> str:
    """Return the list of archives for an image's apt; empty when those words name no address."""
    if (mirror := addresses(told, wanted)) is None:
        return ""
    codename = wanted.codename
    pockets = [(mirror.main, f"{codename} {codename}-updates"), (mirror.security, f"{codename}-security")]
    return "\n".join(
        f"Types: deb\nURIs: {address}/\nSuites: {suites}\nComponents: {_COMPONENTS}\nSigned-By: /{_KEYRING}\n"
        for address, suites in pockets
    )


def _ask(
    near: tuple[str, Mirror] | None,
    machine: str,
    environment: Mapping[str, str],
    downloader: Downloader,
    apt: Path,
) -> str:
    """Return what the archive that this machine uses says of Ubuntu's; empty when it uses none."""
    try:
        if near is not None:
            codename, mirror = near
            keys = archive_keys("Ubuntu")
            universe = open_archive(mirror, codename, machine, downloader, keys, origin="Ubuntu")
        else:
            mirror = replace(find_mirror(environment, apt), security=None)
            universe = open_archive(mirror, _DEBIAN, machine, downloader)
    except DebianError:
        return ""
    return read_told(telling(universe), downloader)


def _address(told: str, suite: str, field: str) -> str | None:
    for paragraph in Deb822.iter_paragraphs(told, use_apt_pkg=False):
        if paragraph.get("Suite", "").strip() == suite and paragraph.get("RepositoryType") == "deb":
            address: str = paragraph.get(field, "").strip().rstrip("/")
            return address if address.startswith(("http://", "https://")) else None
    return None
