"""A base assembled from Debian's or Ubuntu's packages, kept by what it was made of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cogyard.image.bases.base import DEFAULT_GLIBC, Base, BaseLayer, Ubuntu
from cogyard.image.bases.debian import dpkg
from cogyard.image.bases.debian.archive import fetch, open_archive
from cogyard.image.bases.debian.assemble import (
    Assembled,
    assemble_base,
    assemble_system,
    cache_folder,
    essential,
    recall,
    system_record,
)
from cogyard.image.bases.debian.index import Universe
from cogyard.image.bases.debian.mirror import find_mirror
from cogyard.image.bases.debian.release import key_bytes, read_keys
from cogyard.image.bases.debian.releases import EVERY, RELEASES, UBUNTU_RELEASES, distribution_of
from cogyard.image.bases.debian.resolver import resolve
from cogyard.image.bases.debian.ubuntu import Wanted, find_archive
from cogyard.image.download import Downloader
from cogyard.image.errors import BaseError, BuildNotPossibleError
from cogyard.image.platforms import architecture_of, local_platform
from cogyard.image.site import Site
from cogyard.oci.config import RunConfig

#: The C library of each release, for choosing wheels.
_GLIBC: Mapping[str, tuple[int, int]] = {
    "bookworm": (2, 36), "trixie": (2, 41), "forky": (2, 42),
    "jammy": (2, 35), "noble": (2, 39), "resolute": (2, 43),
}  # fmt: skip
_ENV = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]


def release_for(python: str) -> str:
    """Return the release that carries a Python, Debian's before Ubuntu's.

    Raises BaseError naming what is possible.
    """
    for codename, carried in EVERY.items():
        if carried == python:
            return codename
    possible = " or ".join(sorted({*EVERY.values()}, key=lambda each: int(each.partition(".")[2])))
    raise BaseError(
        f"no registry can be reached for python:{python}-slim, and neither Debian nor Ubuntu has Python {python}",
        hint=f"Set python_version to {possible} in cog.yaml, or name a base with --base: an image, a layout or a tar.",
    )


def make_base(codename: str, architecture: str, site: Site) -> Base:
    """Assemble the base of a release.

    Raises DebianError, DownloadError.
    """
    origin = distribution_of(codename)
    ubuntu = Ubuntu(codename=codename, keys=key_bytes(origin)) if codename in UBUNTU_RELEASES else None
    site.progress.detail(f"reading the index of {origin} {codename}")
    with Downloader(cache_folder(site.cache)) as downloader:
        if ubuntu is not None:
            universe = _ubuntu(ubuntu, architecture, downloader, f"ubuntu:{codename}")
        else:
            universe = open_archive(find_mirror(os.environ), codename, architecture, downloader)
        assembled = assemble_base(codename, architecture, universe, downloader, site)
    version = EVERY[codename]
    return Base(
        name=f"{origin.lower()}:{codename}",
        architecture=architecture,
        layers=(
            BaseLayer(descriptor=assembled.layer, diff_id=assembled.diff_id, created_by=f"{origin} packages"),
        ),
        run=RunConfig(env=_ENV),
        python=f"/usr/bin/python{version}",
        python_version=version,
        glibc=_GLIBC.get(codename, DEFAULT_GLIBC),
        has_tini=True,
        codename=None if ubuntu else codename,
        ubuntu=ubuntu,
        status=assembled.status,
        linker_cache=assembled.linker_cache,
    )


def add_system(
    base: Base, wishes: tuple[str, ...], site: Site, *, refresh: bool = False
) -> tuple[Assembled, bool] | None:
    """Return the layer of system packages for a base, and whether it was made now; None when the base has them all.

    Raises BuildNotPossibleError when the base is neither Debian's nor Ubuntu's, or a package needs its scripts.
    """
    _check(base)
    if not refresh and (found := recall(system_record(wishes, base, site), site)) is not None:
        return found, False
    site.progress.detail(f"resolving {' '.join(wishes)}")
    with Downloader(cache_folder(site.cache)) as downloader:
        universe = _universe(base, downloader)
        assembled = assemble_system(wishes, base, universe, downloader, site)
    return (assembled, True) if assembled is not None else None


def fetch_system(base: Base, wishes: tuple[str, ...], site: Site) -> Mapping[str, Path]:
    """Return the archives that installing `wishes` over a base takes, by file name; dpkg is to install them.

    Raises BuildNotPossibleError when the base is neither Debian's nor Ubuntu's.
    """
    _check(base)
    site.progress.detail(f"resolving {' '.join(wishes)}")
    with Downloader(cache_folder(site.cache)) as downloader:
        universe = _universe(base, downloader)
        # Scripts may count on Debian's essential packages, which an assembled base does without where it can.
        every = (*essential(universe), *wishes)
        packages = resolve(every, universe, dpkg.installed(base.status or ""))
        files = fetch(packages, downloader, lambda package: site.progress.detail(package.name))
    return {f"{name}.deb": path for name, path in files.items()}


def _universe(base: Base, downloader: Downloader) -> Universe:
    architecture = dpkg.architecture(base.status or "") or base.architecture
    if base.ubuntu is not None:
        return _ubuntu(base.ubuntu, architecture, downloader, base.name, base.sources)
    return open_archive(
        find_mirror(os.environ, own=base.sources), base.codename or "", architecture, downloader
    )


def _ubuntu(
    release: Ubuntu,
    architecture: str,
    downloader: Downloader,
    name: str,
    own: tuple[tuple[str, str], ...] = (),
) -> Universe:
    """Open a release of Ubuntu; `own` are the lists of archives of the base `name`, which trusts its keys."""
    wanted = Wanted(codename=release.codename, architecture=architecture, own=own)
    machine = architecture_of(local_platform())
    mirror = find_archive(wanted, os.environ, downloader, machine=machine)
    keys = read_keys(release.keys, name)
    return open_archive(mirror, release.codename, architecture, downloader, keys, origin="Ubuntu")


def _check(base: Base) -> None:
    """Raise BuildNotPossibleError for a base whose archive is not known."""
    if base.status is None or (base.ubuntu is None and base.codename not in RELEASES):
        raise BuildNotPossibleError(
            f"system_packages need a base of Ubuntu, or of Debian {' or '.join(RELEASES)}, and {base.name} is neither",
            hint="Choose another base with --base, or a base that has the packages; on a base that has apt, "
            "--builder docker or podman installs them.",
        )
