"""A base assembled from Debian's packages, kept by what it was made of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cogyard.image.bases.base import DEFAULT_GLIBC, Base, BaseLayer
from cogyard.image.bases.debian import dpkg
from cogyard.image.bases.debian.archive import fetch, open_archive
from cogyard.image.bases.debian.assemble import (
    Assembled,
    assemble_base,
    assemble_system,
    cache_folder,
    recall,
    system_record,
)
from cogyard.image.bases.debian.index import Universe
from cogyard.image.bases.debian.mirror import find_mirror, ubuntu_mirror
from cogyard.image.bases.debian.release import read_keys
from cogyard.image.bases.debian.releases import RELEASES
from cogyard.image.bases.debian.resolver import resolve
from cogyard.image.download import Downloader
from cogyard.image.errors import BaseError, BuildNotPossibleError
from cogyard.image.site import Site
from cogyard.oci.config import RunConfig

#: The C library of each release, for choosing wheels.
_GLIBC: Mapping[str, tuple[int, int]] = {"bookworm": (2, 36), "trixie": (2, 41), "forky": (2, 42)}
_ENV = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]

#: What Debian calls essential: every system has it, so that scripts name no dependency on it. Without `login`, which
#: brings PAM into images where nobody logs in, and with the package that says that /bin is merged into /usr already.
ESSENTIAL = (
    "base-files", "base-passwd", "bash", "bsdutils", "coreutils", "dash", "debianutils", "diffutils", "dpkg",
    "findutils", "grep", "gzip", "hostname", "init-system-helpers", "libc-bin", "ncurses-base", "ncurses-bin",
    "perl-base", "sed", "sysvinit-utils", "tar", "usr-is-merged", "util-linux",
)  # fmt: skip


def release_for(python: str) -> str:
    """Return the Debian release that carries a Python.

    Raises BaseError naming what is possible.
    """
    for codename, carried in RELEASES.items():
        if carried == python:
            return codename
    possible = " or ".join(RELEASES.values())
    raise BaseError(
        f"no registry can be reached for python:{python}-slim, and Debian has no Python {python}",
        hint=f"Set python_version to {possible} in cog.yaml, or name a base with --base: an image, a layout or a tar.",
    )


def make_base(codename: str, architecture: str, site: Site) -> Base:
    """Assemble the base of a release.

    Raises DebianError, DownloadError.
    """
    site.progress.detail(f"reading the index of Debian {codename}")
    with Downloader(cache_folder(site.cache)) as downloader:
        universe = open_archive(find_mirror(os.environ), codename, architecture, downloader)
        assembled = assemble_base(codename, architecture, universe, downloader, site)
    version = RELEASES[codename]
    return Base(
        name=f"debian:{codename}",
        architecture=architecture,
        layers=(
            BaseLayer(descriptor=assembled.layer, diff_id=assembled.diff_id, created_by="Debian packages"),
        ),
        run=RunConfig(env=_ENV),
        python=f"/usr/bin/python{version}",
        python_version=version,
        glibc=_GLIBC.get(codename, DEFAULT_GLIBC),
        has_tini=True,
        codename=codename,
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
        every = (*ESSENTIAL, *wishes)
        packages = resolve(every, universe, dpkg.installed(base.status or ""))
        files = fetch(packages, downloader, lambda package: site.progress.detail(package.name))
    return {f"{name}.deb": path for name, path in files.items()}


def _universe(base: Base, downloader: Downloader) -> Universe:
    architecture = dpkg.architecture(base.status or "") or base.architecture
    if base.ubuntu is not None:
        codename = base.ubuntu.codename
        mirror = ubuntu_mirror(os.environ, codename, base.sources)
        keys = read_keys(base.ubuntu.keys, base.name)
        return open_archive(mirror, codename, architecture, downloader, keys, origin="Ubuntu")
    mirror = find_mirror(os.environ, own=base.sources)
    return open_archive(mirror, base.codename or "", architecture, downloader)


def _check(base: Base) -> None:
    """Raise BuildNotPossibleError for a base whose archive is not known."""
    if base.status is None or (base.ubuntu is None and base.codename not in RELEASES):
        raise BuildNotPossibleError(
            f"system_packages need a base of Ubuntu, or of Debian {' or '.join(RELEASES)}, and {base.name} is neither",
            hint="Choose another base with --base, or a base that has the packages; on a base that has apt, "
            "--builder docker or podman installs them.",
        )
