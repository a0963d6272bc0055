"""A base image as a value: its layers, how it runs, and the Python in it."""

from __future__ import annotations

import msgspec

from cogyard.oci.config import RunConfig
from cogyard.oci.descriptor import Descriptor

#: The C library that wheels are chosen for when a base does not tell its own (Debian 12's).
DEFAULT_GLIBC = (2, 36)


class BaseLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of a base."""

    descriptor: Descriptor
    diff_id: str
    created_by: str = ""


class Ubuntu(msgspec.Struct, frozen=True, kw_only=True):
    """A release of Ubuntu, and the keys that a base trusts to sign its archive."""

    codename: str
    keys: bytes


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is built on. `status` is dpkg's list of packages, None where there is no dpkg."""

    name: str
    architecture: str
    layers: tuple[BaseLayer, ...]
    run: RunConfig
    python: str
    """The interpreter's absolute path."""
    python_version: str
    """Its minor version, "3.11"."""
    glibc: tuple[int, int] = DEFAULT_GLIBC
    has_tini: bool = False
    codename: str | None = None
    """Debian's name for the base's release; None on another distribution."""
    ubuntu: Ubuntu | None = None
    status: str | None = None
    linker_cache: bytes = b""
    """Its /etc/ld.so.cache; empty when there is none."""
    sources: tuple[tuple[str, str], ...] = ()
    """The files in which its apt has the addresses of archives: path and text."""
    digest: str | None = None
    """The manifest's digest, when it came as an image."""

    @property
    def release(self) -> str | None:
        """The codename of its release, of Debian or of Ubuntu."""
        return self.ubuntu.codename if self.ubuntu is not None else self.codename
