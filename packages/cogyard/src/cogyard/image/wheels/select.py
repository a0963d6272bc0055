"""Which file of each locked package a target installs. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from packaging.markers import Environment
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
from packaging.tags import Tag, compatible_tags, cpython_tags

from cogyard.image.errors import BuildNotPossibleError, NoWheelError

#: The machine's name for an OCI architecture, in wheel tags and markers.
MACHINES: Mapping[str, str] = {"amd64": "x86_64", "arm64": "aarch64"}

#: Older names of manylinux platforms, and the glibc each means (PEP 600).
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What runs the wheels: CPython's minor version, an OCI architecture, and the C library's version."""

    python: tuple[int, int]
    architecture: str
    glibc: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """The file to install for one package; `is_wheel` is false for source that is built first."""

    name: str
    version: str | None
    filename: str
    sha256: str | None
    size: int | None
    url: str | None
    path: str | None
    is_wheel: bool = True


def select(lock: str, machine: Machine, *, local_builds: bool = False) -> tuple[Selected, ...]:
    """Return what to install from a pylock.toml, in the order of the names.

    `local_builds` accepts wheels that were built on a machine like the target. Raises NoWheelError naming the
    package, BuildNotPossibleError for a package that comes from version control.
    """
    try:
        parsed = Pylock.from_dict(tomllib.loads(lock))
        chosen = list(
            parsed.select(
                environment=environment(machine), tags=list(tags(machine, local_builds=local_builds))
            )
        )
    except (PylockValidationError, PylockSelectError, tomllib.TOMLDecodeError) as error:
        raise NoWheelError(
            f"the lock has nothing for Python {machine.python[0]}.{machine.python[1]} on linux/"
            f"{machine.architecture} with glibc {machine.glibc[0]}.{machine.glibc[1]}: {error}"
        ) from None
    found = [_selected(package, file) for package, file in chosen]
    return tuple(sorted(found, key=lambda each: each.name))


def tags(machine: Machine, *, local_builds: bool = False) -> Iterator[Tag]:
    """Yield the wheel tags that run on the machine, best first."""
    platforms = list(_platforms(machine, local_builds=local_builds))
    yield from cpython_tags(machine.python, platforms=platforms, abis=_abis(machine.python))
    interpreter = f"cp{machine.python[0]}{machine.python[1]}"
    yield from compatible_tags(machine.python, interpreter, platforms)


def environment(machine: Machine) -> Environment:
    """Return the environment markers of the machine."""
    version = f"{machine.python[0]}.{machine.python[1]}"
    return Environment(
        implementation_name="cpython",
        implementation_version=f"{version}.0",
        os_name="posix",
        platform_machine=MACHINES[machine.architecture],
        platform_release="",
        platform_system="Linux",
        platform_version="",
        python_full_version=f"{version}.0",
        platform_python_implementation="CPython",
        python_version=version,
        sys_platform="linux",
    )


def _abis(python: tuple[int, int]) -> list[str]:
    return [f"cp{python[0]}{python[1]}", "abi3", "none"]


def _platforms(machine: Machine, *, local_builds: bool) -> Iterator[str]:
    arch = MACHINES[machine.architecture]
    major, minor = machine.glibc
    for each in range(minor, 4, -1):
        yield f"manylinux_{major}_{each}_{arch}"
        if (major, each) in _LEGACY:
            yield f"{_LEGACY[major, each]}_{arch}"
    if local_builds:
        yield f"linux_{arch}"


def _selected(
    package: Package, file: PackageVcs | PackageDirectory | PackageArchive | PackageWheel | PackageSdist
) -> Selected:
    version = str(package.version) if package.version is not None else None
    if isinstance(file, PackageVcs):
        raise BuildNotPossibleError(
            f"{package.name} comes from version control, which the direct builder does not fetch",
            hint="Build a wheel of it, put it into the project and name the wheel in the requirements.",
        )
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
