"""Find the base: what the person names, else a registry's Python image, else one assembled from packages."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from cogyard.environment import cache as kept
from cogyard.image.bases.base import Base
from cogyard.image.bases.debian.releases import EVERY, distribution_of
from cogyard.image.errors import BaseError
from cogyard.image.site import Site
from cogyard.oci.errors import RegistryError, RegistryUnreachableError
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference

SETTING = "COGYARD_BASE"
#: `assemble`, or `assemble:bookworm`: make the base from Debian's or Ubuntu's packages, whatever registries there are.
ASSEMBLE = "assemble"
#: Changes when a base is made or read in another way.
_RECIPE = "base 9"


def find_base(
    choice: str | None, python: str, architecture: str, site: Site, *, refresh: bool = False
) -> Base:
    """Return the base for a Python on an architecture; asked again only with `refresh`, or when its file changed.

    Raises BaseError saying what is possible.
    """
    parts = [_RECIPE, choice or "", _stamp(choice), python, architecture]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    remembered = site.cache / "bases" / f"{key}.json"
    if not refresh and (base := _recall(remembered, site.store)) is not None:
        return base
    base = _make(choice, python, architecture, site)
    if base.python_version != python:
        raise BaseError(
            f"the base {base.name} has Python {base.python_version}, and cog.yaml asks for {python}",
            hint="Change python_version in cog.yaml, or the base.",
        )
    kept.write(remembered, msgspec.json.encode(base))
    return base


def _stamp(choice: str | None) -> str:
    """Return what changes with the file, or the layout's index, that a base's name means; empty for other names."""
    if choice is None or choice.partition(":")[0] == ASSEMBLE:
        return ""
    from cogyard.image.bases.local import open_path

    if (found := open_path(choice)) is None:
        return ""
    path = found[0] / "index.json" if found[0].is_dir() else found[0]
    try:
        said = path.stat()
    except OSError:
        return ""
    return f"{path.absolute()} {said.st_size} {said.st_mtime_ns} {said.st_ino}"


def _make(choice: str | None, python: str, architecture: str, site: Site) -> Base:
    from cogyard.image.bases.local import open_path, read_base
    from cogyard.image.bases.registry import pull_base

    if choice is None:
        return _default(python, architecture, site)
    if choice == ASSEMBLE or choice.startswith(f"{ASSEMBLE}:"):
        return _assembled(choice.partition(":")[2] or None, python, architecture, site)
    if (found := open_path(choice)) is not None:
        return read_base(*found, architecture, site, python=python)
    if choice.startswith(("/", "./", "../")) or choice.endswith((".tar", ".tar.gz", ".tgz")):
        raise BaseError(f"there is no base {choice}: no such file or folder")
    return pull_base(Reference.parse(choice), architecture, site, python=python)


def _default(python: str, architecture: str, site: Site) -> Base:
    from cogyard.image.bases.registry import pull_base

    reference = Reference.parse(f"python:{python}-slim")
    try:
        return pull_base(reference, architecture, site, python=python)
    except RegistryUnreachableError:
        site.progress.detail(
            f"{reference.familiar} cannot be reached, so the base is made of a distribution's packages"
        )
    except RegistryError as error:
        site.progress.warn(f"{error.message}; the base is made of a distribution's packages instead")
    return _assembled(None, python, architecture, site)


def _assembled(codename: str | None, python: str, architecture: str, site: Site) -> Base:
    # The archive's libraries (OpenPGP, Debian's formats) take a tenth of a second to import.
    from cogyard.image.bases.debian.base import make_base, release_for

    release = codename or release_for(python)
    if release not in EVERY:
        from difflib import get_close_matches  # most names are right

        close = get_close_matches(release, EVERY, n=1)
        raise BaseError(
            f"{release!r} is not a release of Debian or Ubuntu that can be a base: {', '.join(EVERY)}",
            hint=f"Did you mean {ASSEMBLE}:{close[0]}?" if close else None,
        )
    if EVERY[release] != python:
        raise BaseError(
            f"{distribution_of(release)} {release} has Python {EVERY[release]}, and cog.yaml asks for {python}",
            hint="Change python_version in cog.yaml, or the base.",
        )
    return make_base(release, architecture, site)


def _recall(path: Path, store: ImageStore) -> Base | None:
    try:
        base = msgspec.json.decode(path.read_bytes(), type=Base)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return base if all(store.has(layer.descriptor) for layer in base.layers) else None
