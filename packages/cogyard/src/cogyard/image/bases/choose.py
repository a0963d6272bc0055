"""Find the base: what the person names, else a registry's Python image, else one assembled from Debian."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from cogyard.image.bases.base import Base
from cogyard.image.bases.debian.mirror import RELEASES
from cogyard.image.errors import BaseError
from cogyard.image.site import Site
from cogyard.oci.layout import ImageStore

SETTING = "COGYARD_BASE"
#: `assemble`, or `assemble:bookworm`: make the base from Debian's packages, whatever registries there are.
ASSEMBLE = "assemble"
#: Changes when a base is made or read in another way.
_RECIPE = "base 1"


def find_base(
    choice: str | None, python: str, architecture: str, site: Site, *, refresh: bool = False
) -> Base:
    """Return the base for a Python on an architecture; asked again only with `refresh`.

    Raises BaseError saying what is possible.
    """
    key = hashlib.sha256("\0".join([_RECIPE, choice or "", python, architecture]).encode()).hexdigest()[:32]
    remembered = site.cache / "bases" / f"{key}.json"
    if not refresh and (base := _recall(remembered, site.store)) is not None:
        return base
    base = _make(choice, python, architecture, site)
    if base.python_version != python:
        raise BaseError(
            f"the base {base.name} has Python {base.python_version}, and cog.yaml asks for {python}",
            hint="Change python_version in cog.yaml, or the base.",
        )
    remembered.parent.mkdir(parents=True, exist_ok=True)
    part = remembered.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(base))
    part.replace(remembered)
    return base


def _make(choice: str | None, python: str, architecture: str, site: Site) -> Base:
    from cogyard.image.bases.debian.base import make_base, release_for

    if choice is None or choice == ASSEMBLE:
        return make_base(release_for(python), architecture, site)
    if choice.startswith(f"{ASSEMBLE}:"):
        codename = choice.partition(":")[2]
        if codename not in RELEASES:
            raise BaseError(f"{codename!r} is not a Debian release that can be a base: {', '.join(RELEASES)}")
        return make_base(codename, architecture, site)
    raise BaseError(f"there is no base {choice!r}")


def _recall(path: Path, store: ImageStore) -> Base | None:
    try:
        base = msgspec.json.decode(path.read_bytes(), type=Base)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return base if all(store.has(layer.descriptor) for layer in base.layers) else None
