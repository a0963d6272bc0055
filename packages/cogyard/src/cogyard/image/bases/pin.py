"""The base image of a lock: found once, with its digest; the same one again for every build."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cogyard.image.bases.base import Base
from cogyard.image.bases.choose import ASSEMBLE, SETTING, find_base
from cogyard.image.site import Site
from cogyard.project import Project

if TYPE_CHECKING:
    from cogyard.environment.making import LockedBase


def pin_base(project: Project, platform: str, site: Site, *, refresh: bool = False) -> LockedBase:
    """Return the base that a build for `platform` takes now.

    Raises BaseError and what its source raises.
    """
    from cogyard.environment.making import LockedBase

    choice = os.environ.get(SETTING) or None
    architecture = platform.partition("/")[2]
    base = find_base(choice, project.python_version, architecture, site, refresh=refresh)
    said = (
        f"{SETTING} names it" if choice else f"it has Python {base.python_version}, which cog.yaml asks for"
    )
    if base.digest is None and choice is None:
        whose = "Ubuntu" if base.ubuntu else "Debian"
        said += f"; made of {whose}'s packages, since no registry of images could be reached"
    return LockedBase(platform=platform, name=_name(base), digest=_digest(base), because=said)


def choice_of(row: Mapping[str, str]) -> str:
    """Return what `--base` takes to get a lock's base."""
    name, digest = row["name"], row["digest"]
    return name if name.startswith(f"{ASSEMBLE}:") else f"{name}@{digest}"


def differs(base: Base, row: Mapping[str, str]) -> bool:
    """Whether a base is another than the lock's: a distribution's packages change, and a mirror may move a tag."""
    return _digest(base) != row["digest"]


def _name(base: Base) -> str:
    return f"{ASSEMBLE}:{base.release}" if base.digest is None and base.release else base.name


def _digest(base: Base) -> str:
    return base.digest or base.layers[-1].descriptor.digest
