"""What is installed beside this program: versions and requirements, remembered until something is installed here.

Reading them anew takes 15 ms, most of it the import of importlib.metadata, and every build wants them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

from cogyard.environment import cache as kept
from cogyard.environment.errors import CacheError

#: What is remembered; anything else is looked up.
_KNOWN = ("cogyard", "cogyard-model-server", "cogyard-sdk", "uv")


class _Package(msgspec.Struct, frozen=True):
    version: str
    requires: tuple[str, ...]


def version(name: str) -> str:
    """Return the version of an installed package; raise PackageNotFoundError when it is not installed."""
    return _package(name).version


def requires(name: str) -> Sequence[str]:
    """Return the requirements of an installed package; raise PackageNotFoundError when it is not installed."""
    return _package(name).requires


def stamp() -> str:
    """Return what changes when something is installed where this program is, or removed; empty when unknown."""
    return next(_stamps(), "")


def forget() -> None:
    """Look again, where a process lives longer than what is installed: in tests."""
    _remembered.cache_clear()


def _stamps() -> Iterator[str]:
    for entry in sys.path:
        try:
            with os.scandir(entry or ".") as found:
                if any(
                    each.name.startswith("cogyard-") and each.name.endswith(".dist-info") for each in found
                ):
                    state = Path(entry).stat()
                    yield f"{entry} {state.st_mtime_ns} {state.st_ino}"
        except OSError:
            continue


def _package(name: str) -> _Package:
    found = _remembered() if name in _KNOWN else {}
    return found.get(name) or _read(name)


@cache
def _remembered() -> dict[str, _Package]:
    place = stamp()
    path = kept.cache_dir() / "installed" / kept.key("installed 1", place, *sys.path)
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _Package])
    except (OSError, msgspec.MsgspecError):
        found = dict(_installed())
    if place:
        try:
            kept.write(path, msgspec.json.encode(found))
        except CacheError:
            return found  # it is read again the next time
    return found


def _installed() -> Iterator[tuple[str, _Package]]:
    from importlib.metadata import PackageNotFoundError

    for name in _KNOWN:
        try:
            yield name, _read(name)
        except PackageNotFoundError:
            continue


def _read(name: str) -> _Package:
    from importlib.metadata import distribution

    found = distribution(name)
    return _Package(found.version, tuple(found.requires or ()))
