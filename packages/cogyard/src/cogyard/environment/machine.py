"""What runs wheels: a Python, an architecture, a C library; and the tags and markers that follow. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # its import takes 30 ms, and most commands find a lock that is narrowed already
    from packaging.markers import Environment
    from packaging.tags import Tag

#: The machine's name for an OCI architecture, in wheel tags and markers.
MACHINES: Mapping[str, str] = {"amd64": "x86_64", "arm64": "aarch64"}

#: Older names of manylinux platforms, and the glibc each means (PEP 600).
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What runs the wheels: CPython's minor version, an OCI architecture, and the C library's version."""

    python: tuple[int, int]
    architecture: str
    glibc: tuple[int, int]


def tags(machine: Machine, *, local_builds: bool = False) -> Iterator[Tag]:
    """Yield the wheel tags that run on the machine, best first."""
    from packaging.tags import compatible_tags, cpython_tags

    platforms = list(_platforms(machine, local_builds=local_builds))
    yield from cpython_tags(machine.python, platforms=platforms, abis=_abis(machine.python))
    interpreter = f"cp{machine.python[0]}{machine.python[1]}"
    yield from compatible_tags(machine.python, interpreter, platforms)


def environment(machine: Machine) -> Environment:
    """Return the environment markers of the machine."""
    from packaging.markers import Environment

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
