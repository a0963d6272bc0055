"""Assemble a base image, or a layer of system packages, from Debian's or Ubuntu's packages. No program is run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cogyard.environment import cache as kept
from cogyard.image.bases.base import Base
from cogyard.image.bases.debian import dpkg, finish, linker, scripts, ubuntu
from cogyard.image.bases.debian.archive import fetch, sha256_of
from cogyard.image.bases.debian.deb import open_deb
from cogyard.image.bases.debian.index import Package, Universe
from cogyard.image.bases.debian.releases import UBUNTU_RELEASES
from cogyard.image.bases.debian.resolver import needed_by, resolve
from cogyard.image.bases.debian.reviewed import REVIEWED, UBUNTU_REVIEWED
from cogyard.image.bases.debian.tree import Tree
from cogyard.image.download import Downloader
from cogyard.image.errors import BuildNotPossibleError, HostilePackageError, NeedsScriptsError
from cogyard.image.site import Site
from cogyard.oci.descriptor import LAYER_GZIP, Descriptor
from cogyard.oci.layer import LayerSummary, LayerWriter
from cogyard.oci.layout import ImageStore

#: Changes when the same packages would make another tree.
RECIPE = 7

#: What a model's container has below its own packages: Python, a shell and small tools, certificates, an init.
BASE_PACKAGES = (
    "base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "findutils", "grep", "gzip",
    "libc-bin", "libgomp1", "libstdc++6", "mawk", "ncurses-base", "netbase", "python3", "sed", "tar", "tini",
    "tzdata", "zlib1g",
)  # fmt: skip
#: Parts of Python's own standard library that a release keeps in packages apart; and the keys that Ubuntu's apt trusts,
#: by which whoever builds on the image knows what to believe.
EXTRA_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "bookworm": ("python3-distutils",),
    "jammy": ("python3-distutils", "ubuntu-keyring"),
    "noble": ("ubuntu-keyring",),
    "resolute": ("ubuntu-keyring",),
}


#: What Debian calls essential: every system has it, so that scripts name no dependency on it. Without `login`, which
#: brings PAM into images where nobody logs in, and with the package that says that /bin is merged into /usr already.
ESSENTIAL = (
    "base-files", "base-passwd", "bash", "bsdutils", "coreutils", "dash", "debianutils", "diffutils", "dpkg",
    "findutils", "grep", "gzip", "hostname", "init-system-helpers", "libc-bin", "ncurses-base", "ncurses-bin",
    "perl-base", "sed", "sysvinit-utils", "tar", "usr-is-merged", "util-linux",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembled:
    """A layer of Debian's or Ubuntu's packages, in the store."""

    layer: Descriptor
    diff_id: str
    packages: tuple[Package, ...]
    status: str
    linker_cache: bytes


def assemble_base(
    codename: str, architecture: str, universe: Universe, downloader: Downloader, site: Site
) -> Assembled:
    """Make the base of a release as one layer; the same packages are put together once."""
    packages = resolve([*BASE_PACKAGES, *EXTRA_PACKAGES.get(codename, ())], universe)
    told = ubuntu.telling(universe) if codename in UBUNTU_RELEASES else []
    record = _record(site, "base", [architecture, sha256_of([*packages, *told])])
    if (found := recall(record, site)) is not None:
        return found
    files = fetch(packages, downloader, lambda package: site.progress.detail(package.name))
    site.progress.detail(f"putting {len(packages)} packages together")
    with Tree() as tree:
        tree.merge_links()
        unpacked = []
        for package in packages:
            with open_deb(files[package.name], package.name) as deb:
                unpacked.append(tree.unpack(deb, package.name))
        finish.finish(tree)
        wanted = ubuntu.Wanted(codename=codename, architecture=architecture)
        if lists := ubuntu.sources(ubuntu.read_told(told, downloader), wanted):
            tree.file(ubuntu.SOURCES, lists.encode())
        finish.linker_cache(tree, architecture)
        dpkg.record(tree, unpacked)
        return _remember(_write(tree, packages, site.store), record)


def assemble_system(
    wishes: Iterable[str], base: Base, universe: Universe, downloader: Downloader, site: Site
) -> Assembled | None:
    """Make a layer that adds `wishes` to a base of Debian or Ubuntu; None when all are there.

    Raises BuildNotPossibleError naming a package that only its own scripts can set up.
    """
    if base.status is None:
        raise BuildNotPossibleError(f"{base.name} has no list of Debian packages")
    installed = dpkg.installed(base.status)
    packages = resolve(wishes, universe, installed)
    if any(each.name == "apt" for each in packages):
        # It will run the scripts of what it installs, and those count on essential packages without saying so.
        counted_on = [name for name in essential(universe) if not _brings_pam(name, universe)]
        packages = resolve([*wishes, *counted_on], universe, installed)
    if not packages:
        return None
    files = fetch(packages, downloader, lambda package: site.progress.detail(package.name))
    site.progress.detail(f"putting {len(packages)} packages together")
    alternatives: list[scripts.Alternative] = []
    reviewed = {*BASE_PACKAGES, *(REVIEWED if base.ubuntu is None else UBUNTU_REVIEWED)}
    with Tree() as tree:
        unpacked = []
        for package in packages:
            with open_deb(files[package.name], package.name) as deb:
                effect = scripts.effects(deb.records, reviewed=package.name in reviewed)
                if effect.unknown is not None:
                    needed = needed_by(package.name, wishes, packages)
                    raise NeedsScriptsError(
                        f"the system package {package.name}{needed}{',' if needed else ''} "
                        f"sets itself up by a script ({effect.unknown!r}), which the direct builder does not run",
                        hint="A container engine runs it: start Docker or podman, or say --builder docker. Or use "
                        "another package, or a base image that has it (--base).",
                    )
                alternatives.extend(effect.alternatives)
                unpacked.append(tree.unpack(deb, package.name))
        if any(each.name == "ca-certificates" for each in packages):
            finish.certificates(tree)
        finish.own_lists(tree)
        finish.alternatives(tree, alternatives)
        finish.linker_cache(tree, base.architecture, below=linker.read_cache(base.linker_cache))
        dpkg.record(tree, unpacked, before=base.status)
        return _remember(_write(tree, packages, site.store), system_record(wishes, base, site))


def essential(universe: Universe) -> list[str]:
    """Return the essential packages that a release has; not every one has a package for a merged /usr."""
    return [name for name in ESSENTIAL if universe.named(name) or universe.providers(name)]


def _brings_pam(name: str, universe: Universe) -> bool:
    """Say whether a package needs PAM, which only its scripts set up and nobody logs in by: util-linux since 26.04."""
    newest = universe.named(name)[:1]
    return any(each.name == "libpam-modules" for one in newest for group in one.depends for each in group)


def system_record(wishes: Iterable[str], base: Base, site: Site) -> Path:
    """Return where the layer of these wishes over this base is remembered."""
    # Two bases with the same packages may trust different keys, and then neither gets what the other trusted.
    trusted = [base.ubuntu.codename, hashlib.sha256(base.ubuntu.keys).hexdigest()] if base.ubuntu else []
    return _record(site, "system", [base.architecture, base.status or "", *trusted, *wishes])


def _write(tree: Tree, packages: list[Package], store: ImageStore) -> Assembled:
    status = tree.read(dpkg.STATUS).decode("utf-8", "replace")
    cache = tree.read(linker.CACHE)
    with store.writer() as blob:
        layer = LayerWriter(blob.file)
        try:
            tree.write(layer)
        except ValueError as error:
            raise HostilePackageError(str(error)) from None
        summary = layer.finish()
        blob.commit(summary.digest)
    return Assembled(
        layer=describe(summary),
        diff_id=summary.diff_id,
        packages=tuple(packages),
        status=status,
        linker_cache=cache,
    )


def recall(record: Path, site: Site) -> Assembled | None:
    """Return what was put together before, when the store still has it."""
    try:
        found = msgspec.json.decode(record.read_bytes(), type=Assembled)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return found if site.store.has(found.layer) else None


def _remember(assembled: Assembled, record: Path) -> Assembled:
    kept.write(record, msgspec.json.encode(assembled))
    return assembled


def _record(site: Site, kind: str, parts: Iterable[str]) -> Path:
    key = hashlib.sha256("\0".join([str(RECIPE), *parts]).encode()).hexdigest()[:32]
    return site.cache / "bases" / f"{kind}-{key}.json"


def describe(summary: LayerSummary) -> Descriptor:
    """Return the descriptor of a written layer."""
    return Descriptor(media_type=LAYER_GZIP, digest=summary.digest, size=summary.size)


def cache_folder(cache: Path) -> Path:
    """Return where fetched packages are kept."""
    return cache / "debian"
