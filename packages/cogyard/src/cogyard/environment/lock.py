"""A lock of packages (PEP 751), read as values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from cogyard.environment.credentials import Credentials
from cogyard.environment.errors import PreparingError


class LockInvalidError(PreparingError):
    """A lock file is not what PEP 751 describes."""

    code = "lock_invalid"
    http_status = 422


class LockedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One wheel or source archive: where it is, what it is called, its size and SHA-256 where they are known."""

    url: str | None
    path: str | None
    name: str
    size: int | None
    sha256: str | None


class LockedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """One package of a lock, with the files to choose from."""

    name: str
    version: str | None
    wheels: tuple[LockedFile, ...] = ()
    sdist: LockedFile | None = None


class Lock(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A resolved set of packages: `text` is the pylock.toml; `python` "3.11"; `platform` None is this machine."""

    text: str
    python: str
    platform: str | None = None
    origin: str | None = None
    """The file it was read from, such as cog.lock; None when the index was asked."""
    warnings: tuple[str, ...] = ()
    """What a person should know about it."""
    credentials: Credentials = msgspec.field(default_factory=Credentials)
    """How its files are fetched; never a part of its text, and two locks are the same without."""

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Lock) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self.text, self.python, self.platform, self.origin, self.warnings

    @cached_property
    def packages(self) -> tuple[LockedPackage, ...]:
        """The packages, sorted by name; raise LockInvalidError for a text that is not a lock."""
        import tomllib

        try:
            document = tomllib.loads(self.text)
            found = [_package(one) for one in document.get("packages", [])]
        except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
            raise LockInvalidError(f"the lock cannot be read: {error}") from error
        return tuple(sorted(found, key=lambda one: one.name))

    def freeze(self) -> str:
        """Return the packages as `name==version` lines."""
        return "\n".join(
            f"{one.name}=={one.version}" if one.version else f"{one.name} @ {_source(one)}"
            for one in self.packages
        )


def _package(entry: Mapping[str, Any]) -> LockedPackage:
    wheels = [_file(one) for one in entry.get("wheels", [])]
    sdist = _file(entry["sdist"]) if "sdist" in entry else None
    if "archive" in entry:
        archive = _file(entry["archive"])
        if archive.name.endswith(".whl"):
            wheels.append(archive)
        else:
            sdist = archive
    return LockedPackage(
        name=str(entry["name"]), version=entry.get("version"), wheels=tuple(wheels), sdist=sdist
    )


def _file(entry: Mapping[str, Any]) -> LockedFile:
    return LockedFile(
        url=entry.get("url"),
        path=entry.get("path"),
        name=file_name(entry),
        size=entry.get("size"),
        sha256=entry.get("hashes", {}).get("sha256"),
    )


def file_name(entry: Mapping[str, Any]) -> str:
    """Return the name of a lock's file: as it is written, else the last part of its address or path."""
    url, path = entry.get("url"), entry.get("path")
    return str(entry.get("name") or unquote(urlsplit(url).path if url else str(path)).rpartition("/")[2])


def _source(package: LockedPackage) -> str:
    file = package.sdist or next(iter(package.wheels), None)
    return (file.url or file.path or "") if file else ""
