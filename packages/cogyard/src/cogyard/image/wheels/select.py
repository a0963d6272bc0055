"""Which file of each locked package a target installs. Pure."""

from __future__ import annotations

import tomllib
from functools import cache
from urllib.parse import unquote, urlsplit

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockValidationError,
)
from packaging.tags import Tag

from cogyard.environment.machine import Machine, environment, tags
from cogyard.image.errors import BuildNotPossibleError, NoWheelError
from cogyard.image.wheels.selected import Selected


def select(lock: str, machine: Machine, *, local_builds: bool = False) -> tuple[Selected, ...]:
    """Return what to install from a pylock.toml, in the order of the names.

    `local_builds` accepts wheels that were built on a machine like the target. Raises NoWheelError naming the
    package, BuildNotPossibleError for a package that comes from version control other than git.
    """
    try:
        parsed = Pylock.from_dict(tomllib.loads(lock))
        chosen = list(
            parsed.select(environment=environment(machine), tags=_tags(machine, local_builds=local_builds))
        )
    except (PylockValidationError, PylockSelectError, tomllib.TOMLDecodeError) as error:
        raise NoWheelError(
            f"the lock has nothing for Python {machine.python[0]}.{machine.python[1]} on linux/"
            f"{machine.architecture} with glibc {machine.glibc[0]}.{machine.glibc[1]}: {error}"
        ) from None
    found = [_selected(package, file) for package, file in chosen]
    return tuple(sorted(found, key=lambda each: each.name))


@cache
def _tags(machine: Machine, *, local_builds: bool) -> list[Tag]:
    """Return the machine's thousand tags, made once for the model's packages and the server's."""
    return list(tags(machine, local_builds=local_builds))


def _selected(
    package: Package, file: PackageVcs | PackageDirectory | PackageArchive | PackageWheel | PackageSdist
) -> Selected:
    version = str(package.version) if package.version is not None else None
    if isinstance(file, PackageVcs):
        if file.type != "git" or file.url is None:
            raise BuildNotPossibleError(
                f"{package.name} comes from {file.type}, which the direct builder does not fetch",
                hint="Build a wheel of it, put it into the project and name the wheel in the requirements.",
            )
        return Selected(
            name=package.name, version=version, filename=package.name, sha256=None, size=None, url=file.url,
            path=None, is_wheel=False, commit=file.commit_id, subdirectory=file.subdirectory,
        )  # fmt: skip
    if isinstance(file, PackageDirectory):
        return Selected(
            name=package.name, version=version, filename=package.name, sha256=None, size=None,
            url=None, path=file.path, is_wheel=False,
        )  # fmt: skip
    name = _filename(file)
    return Selected(
        name=package.name,
        version=version,
        filename=name,
        sha256=file.hashes.get("sha256"),
        size=file.size,
        url=file.url,
        path=file.path,
        is_wheel=name.endswith(".whl"),
    )


def _filename(file: PackageArchive | PackageWheel | PackageSdist) -> str:
    if not isinstance(file, PackageArchive):
        return file.filename
    return unquote(urlsplit(file.url).path if file.url else file.path or "").rpartition("/")[2]
