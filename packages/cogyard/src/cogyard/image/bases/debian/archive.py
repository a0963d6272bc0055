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
from cogyard.image.bases.debian.release import archive_keys, read_release
from cogyard.image.download import Downloader
from cogyard.image.errors import DebianError

#: Files fetched at once: the archive's mirrors are quick, the round trips are not.
_AT_ONCE = 6
_MAX_RELEASE = 16 << 20
#: An unpacked index beyond this is not Debian's (today 50 MB).
_MAX_INDEX = 512 << 20


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
            sha256, size = release.files[f"{folder}/Packages.xz"]
            url = f"{base}/dists/{suite}/{folder}/by-hash/SHA256/{sha256}"
            index = downloader.file(url, sha256, size, name=f"{suite} {folder}/Packages.xz")
            universe.add(_unpack(index), base)
    return universe


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
