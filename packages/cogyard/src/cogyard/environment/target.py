"""What an environment is made for."""

from __future__ import annotations

import platform as machines

import msgspec

from cogyard.environment.errors import UnresolvableError
from cogyard.environment.machine import MACHINES, Machine

GLIBC = "2_36"
"""The C library of the oldest base image we build on (Debian 12); newer ones run the same wheels."""

PLATFORMS = {
    "linux/amd64": f"x86_64-manylinux_{GLIBC}",
    "linux/arm64": f"aarch64-manylinux_{GLIBC}",
}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A Python minor version ("3.11") and a platform ("linux/amd64"; None is this machine)."""

    python: str
    platform: str | None = None

    @property
    def uv_platform(self) -> str | None:
        """The platform's name for uv; raise UnresolvableError for one we do not build for."""
        if self.platform is None:
            return None
        try:
            return PLATFORMS[self.platform]
        except KeyError as error:
            known = ", ".join(PLATFORMS)
            raise UnresolvableError(
                f"the platform {self.platform} is not one of those we build for: {known}"
            ) from error

    @property
    def machine(self) -> Machine | None:
        """What will run the wheels; None for a machine that no image is made for (macOS, Windows)."""
        major, minor = (int(part) for part in self.python.split(".")[:2])
        if self.platform is not None:
            architecture = self.platform.partition("/")[2]
            glibc = tuple(int(part) for part in GLIBC.split("_"))
        else:
            own = machines.machine().lower()
            found = [one for one, name in MACHINES.items() if own in {one, name}]
            library, version = machines.libc_ver()
            if not found or library != "glibc":
                return None
            architecture, glibc = found[0], tuple(int(part) for part in version.split(".")[:2])
        return Machine(python=(major, minor), architecture=architecture, glibc=(glibc[0], glibc[1]))
