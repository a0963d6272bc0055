"""A release of the archive, ready to choose and fetch from: verified indexes, and package files by checksum."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pysequoia

from cogyard.image.bases.debian.index import Package, Universe
from cogyard.image.bases.debian.mirror import Mirror
from cogyard.image.bases.debian.release import Release, archive_keys, read_release
from cogyard.image.download import Downloader
from cogyard.image.errors import DebianError, NotThereError

#: Files fetched at once: the archive's mirrors are quick, the round trips are not.
_AT_ONCE = 6
_MAX_RELEASE = 16 << 20
#: An unpacked index beyond this is not Debian's (today 50 MB).
_MAX_INDEX = 512 << 20
_ELSEWHERE = (
    "A mirror need not have every architecture, and Ubuntu keeps arm64 of 22.04 and 24.04 in an archive apart, "
    "which COGYARD_UBUNTU_PORTS_MIRROR names."
)


def open_archive(
    mirror: Mirror,
    codename: str,
    architecture: str,
    downloader: Downloader,
    keys: list[pysequoia.Cert] | None = None,
    *,
    origin: str = "Debian",
) -> Universe:
    """Return every package of a release for one architecture, with its updates and security fixes.

    Raises DebianError when an index is missing, unsigned or changed.
    """
    trusted = archive_keys() if keys is None else keys
    universe = Universe(origin)
    suites = [(mirror.main, codename, True), (mirror.main, f"{codename}-updates", False)]
    if mirror.security is not None:
        suites.append((mirror.security, f"{codename}-security", False))
    for base, suite, needed in suites:
        signed = downloader.document(f"{base}/dists/{suite}/InRelease", limit=_MAX_RELEASE)
        if signed is None:
            if needed:
                raise DebianError(f"the {origin} mirror has no release {codename!r}")
            continue
        release = read_release(signed, trusted, codename=codename, origin=origin)
        for component in mirror.components:
            folder = f"{component}/binary-{architecture}"
            if f"{folder}/Packages.xz" not in release.files:
                raise DebianError(
                    f"{origin} {codename} has no packages of {component} for the architecture {architecture!r}"
                )
            try:
                index = _index(f"{base}/dists/{suite}", f"{folder}/Packages.xz", release, downloader)
            except NotThereError:
                raise DebianError(
                    f"{base} has no packages of {origin} {suite} for the architecture {architecture!r}",
                    hint=_ELSEWHERE if origin == "Ubuntu" else None,
                ) from None
            universe.add(_unpack(index), base)
    return universe


def _index(suite: str, path: str, release: Release, downloader: Downloader) -> Path:
    sha256, size = release.files[path]
    folder, _, name = path.rpartition("/")
    label = f"{suite.rpartition('/')[2]} {path}"
    try:
        return downloader.file(f"{suite}/{folder}/by-hash/SHA256/{sha256}", sha256, size, name=label)
    except NotThereError:  # not every mirror has files by their hash; apt asks like this too
        return downloader.file(f"{suite}/{folder}/{name}", sha256, size, name=label)


def fetch(
    packages: Iterable[Package], downloader: Downloader, on_fetched: Callable[[Package], None] | None = None
) -> dict[str, Path]:
    """Fetch package files, several at once; return their paths by package name."""

    def one(package: Package) -> tuple[str, Path]:
        path = downloader.file(package.url, package.sha256, package.size, name=f"{package.name}.deb")
        if on_fetched is not None:
            on_fetched(package)
        return package.name, path

    with ThreadPoolExecutor(_AT_ONCE) as pool, downloader.ending():
        return dict(pool.map(one, packages))


def sha256_of(packages: Iterable[Package]) -> str:
    """Return one checksum over a choice of packages."""
    digest = hashlib.sha256()
    for package in sorted(packages, key=lambda each: each.name):
        digest.update(f"{package.name} {package.version} {package.sha256}\n".encode())
    return digest.hexdigest()


def _unpack(path: Path) -> bytes:
    with lzma.open(path) as file:
        data = file.read(_MAX_INDEX + 1)
    if len(data) > _MAX_INDEX:
        raise DebianError(f"an index of packages unpacks to more than {_MAX_INDEX} bytes")
    return data
