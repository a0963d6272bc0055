"""Assemble a base image, or a layer of system packages, from Debian's packages. No root, no program is run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cogyard.image.bases.debian import dpkg, finish, scripts
from cogyard.image.bases.debian.archive import fetch, sha256_of
from cogyard.image.bases.debian.deb import open_deb
from cogyard.image.bases.debian.index import Package, Universe
from cogyard.image.bases.debian.resolver import resolve
from cogyard.image.bases.debian.tree import Tree
from cogyard.image.download import Downloader
from cogyard.image.errors import BuildNotPossibleError, HostilePackageError
from cogyard.image.site import Site
from cogyard.oci.descriptor import LAYER_GZIP, Descriptor
from cogyard.oci.layer import LayerSummary, LayerWriter
from cogyard.oci.layout import ImageStore

#: Changes when the same packages would make another tree.
RECIPE = 1

#: What a model's container has below its own packages: Python, a shell and small tools, certificates, an init.
BASE_PACKAGES = (
    "base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "findutils", "grep", "gzip",
    "libc-bin", "libgomp1", "libstdc++6", "mawk", "ncurses-base", "netbase", "python3", "sed", "tar", "tini",
    "tzdata", "zlib1g",
)  # fmt: skip
#: Parts of Python's own standard library that a release keeps in packages apart.
EXTRA_PACKAGES = {"bookworm": ("python3-distutils",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembled:
    """A layer of Debian packages, in the store."""

    layer: Descriptor
    diff_id: str
    packages: tuple[Package, ...]
    status: str


def assemble_base(codename: str, universe: Universe, downloader: Downloader, site: Site) -> Assembled:
    """Make the base of a release as one layer; the same packages are put together once."""
    packages = resolve([*BASE_PACKAGES, *EXTRA_PACKAGES.get(codename, ())], universe)
    if (found := _recall(packages, site)) is not None:
        return found
    files = fetch(packages, downloader, lambda package: site.progress.detail(package.name))
    with Tree() as tree:
        tree.merge_links()
        unpacked = []
        for package in packages:
            with open_deb(files[package.name], package.name) as deb:
                unpacked.append(tree.unpack(deb, package.name))
        finish.finish(tree)
        dpkg.record(tree, unpacked)
        return _remember(_write(tree, packages, site.store), site.cache)


def assemble_system(
    wishes: Iterable[str], status: str, universe: Universe, downloader: Downloader, site: Site
) -> Assembled | None:
    """Make a layer that adds `wishes` to a base whose dpkg status is given; None when all are there.

    Raises BuildNotPossibleError naming a package that only its own scripts can set up.
    """
    packages = resolve(wishes, universe, dpkg.installed(status))
    if not packages:
        return None
    files = fetch(packages, downloader, lambda package: site.progress.detail(package.name))
    alternatives: list[scripts.Alternative] = []
    with Tree() as tree:
        unpacked = []
        for package in packages:
            with open_deb(files[package.name], package.name) as deb:
                effect = scripts.effects(deb.records)
                if effect.unknown is not None and package.name not in BASE_PACKAGES:
                    raise BuildNotPossibleError(
                        f"the system package {package.name} sets itself up by a script "
                        f"({effect.unknown!r}), which the direct builder does not run",
                        hint="Use another package, or a base image that has it (--base).",
                    )
                alternatives.extend(effect.alternatives)
                unpacked.append(tree.unpack(deb, package.name))
        finish.alternatives(tree, alternatives)
        dpkg.record(tree, unpacked, before=status)
        return _write(tree, packages, site.store)


def _write(tree: Tree, packages: list[Package], store: ImageStore) -> Assembled:
    status = tree.read(dpkg.STATUS).decode("utf-8", "replace")
    with store.writer() as blob:
        layer = LayerWriter(blob.file)
        try:
            tree.write(layer)
        except ValueError as error:
            raise HostilePackageError(str(error)) from None
        summary = layer.finish()
        blob.commit(summary.digest)
    return Assembled(
        layer=describe(summary), diff_id=summary.diff_id, packages=tuple(packages), status=status
    )


def _recall(packages: list[Package], site: Site) -> Assembled | None:
    try:
        found = msgspec.json.decode(_record(packages, site.cache).read_bytes(), type=Assembled)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return found if site.store.has(found.layer) else None


def _remember(assembled: Assembled, cache: Path) -> Assembled:
    path = _record(list(assembled.packages), cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(assembled))
    part.replace(path)
    return assembled


def _record(packages: list[Package], cache: Path) -> Path:
    return cache / "bases" / f"packages-{RECIPE}-{sha256_of(packages)[:32]}.json"


def describe(summary: LayerSummary) -> Descriptor:
    """Return the descriptor of a written layer."""
    return Descriptor(media_type=LAYER_GZIP, digest=summary.digest, size=summary.size)


def cache_folder(cache: Path) -> Path:
    """Return where fetched packages are kept."""
    return cache / "debian"
