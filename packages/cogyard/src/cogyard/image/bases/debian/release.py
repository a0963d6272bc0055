"""A release's signed table of contents: the one document that everything else is checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import pysequoia
from debian.deb822 import Release as ReleaseFile

from cogyard.image.errors import DebianError

#: The public keys of each archive, shipped with this package. Debian's are of its package debian-archive-keyring.
#: Ubuntu's is the one that signs its archive since 2018, of ubuntu-keyring 2023.11.28.1-0.2 in Debian 13: so whoever
#: believes Debian's keys can check it.
_KEYS: Mapping[str, str] = {"Debian": "archive-keys.asc", "Ubuntu": "ubuntu-archive-keys.asc"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """What a verified InRelease file says."""

    codename: str
    version: str
    files: Mapping[str, tuple[str, int]]
    """Path under the suite → (sha256, size)."""


def archive_keys(origin: str = "Debian") -> list[pysequoia.Cert]:
    """Return the keys that may sign the archive of Debian or Ubuntu."""
    return pysequoia.Cert.split_bytes(key_bytes(origin))


def key_bytes(origin: str) -> bytes:
    """Return those keys as they are shipped."""
    return (resources.files(__package__) / _KEYS[origin]).read_bytes()


def read_keys(data: bytes, name: str) -> list[pysequoia.Cert]:
    """Return the keys of a keyring of the base `name`. Raises DebianError when there are none."""
    try:
        return pysequoia.Cert.split_bytes(data)
    except RuntimeError as error:  # all that pysequoia raises
        reason = str(error).partition("\n")[0]
        raise DebianError(f"the keys that {name} trusts cannot be read: {reason}") from None


def read_release(
    signed: bytes, keys: list[pysequoia.Cert], *, codename: str, origin: str = "Debian"
) -> Release:
    """Verify an InRelease file and return what it says.

    Raises DebianError when no archive key has signed it, or when it speaks of another release.
    """
    try:
        verified = pysequoia.verify(bytes=signed, store=lambda _ids: keys)
    except RuntimeError as error:  # all that pysequoia raises; a Rust backtrace follows the first line
        reason = str(error).partition("\n")[0]
        raise DebianError(
            f"the signature of {origin} {codename}'s index is not valid: {reason}",
            hint="The mirror may be tampered with, or its keys newer than this release of cogyard.",
        ) from None
    if not verified.valid_sigs or verified.bytes is None:
        raise DebianError(f"{origin} {codename}'s index carries no valid signature")
    release = ReleaseFile(verified.bytes.decode("utf-8", "replace"))
    said = release.get("Codename", "")
    if said.removesuffix("-security").removesuffix("-updates") != codename or release.get("Origin") != origin:
        raise DebianError(f"the mirror answers for {said!r} where {origin} {codename!r} was asked for")
    files = {entry["name"]: (entry["sha256"], int(entry["size"])) for entry in release.get("SHA256", ())}
    return Release(codename=codename, version=release.get("Version", ""), files=files)
