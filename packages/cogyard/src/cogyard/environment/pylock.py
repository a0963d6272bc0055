"""A lock of every platform, narrowed to one target: PEP 751 documents as values. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cogyard.environment.lock import LockInvalidError
from cogyard.environment.machine import Machine, environment, tags

Table = dict[str, Any]

_FILES = ("archive", "sdist", "directory")


def parse(text: str) -> Table:
    """Return a lock's document; raise LockInvalidError for what is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LockInvalidError(f"the lock cannot be read: {error}") from error


def render(document: Mapping[str, Any]) -> str:
    """Return a document's text; the same document gives the same bytes."""
    import tomli_w

    return tomli_w.dumps(document, indent=2)


def narrowed(document: Mapping[str, Any], machine: Machine, folder: Path) -> Table:
    """Return what of a lock `machine` can install: other platforms' packages and wheels are gone, so are markers.

    Relative paths count from `folder`. Raises LockInvalidError.
    """
    try:
        chosen = [
            _package(one, machine, folder) for one in document.get("packages", []) if _wanted(one, machine)
        ]
        chosen.sort(key=lambda one: str(one["name"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LockInvalidError(f"the lock cannot be read: {error}") from error
    version = ".".join(map(str, machine.python))
    return {
        "lock-version": "1.0",
        "created-by": "cogyard",
        "requires-python": f"=={version}.*",
        "packages": chosen,
    }


def absolute(document: Table, folder: Path) -> Table:
    """Return the document with every path absolute, counted from `folder`."""
    return {**document, "packages": [_placed(one, folder) for one in document.get("packages", [])]}


def _wanted(package: Mapping[str, Any], machine: Machine) -> bool:
    marker = package.get("marker")
    if marker is None:
        return True
    from packaging.markers import Marker

    values = {name: str(value) for name, value in environment(machine).items()}
    return Marker(marker).evaluate(values)


def _package(package: Mapping[str, Any], machine: Machine, folder: Path) -> Table:
    found = _placed(package, folder)
    found.pop("marker", None)
    if "wheels" in found:
        fitting = _fitting(found["wheels"], machine)
        if fitting or "sdist" in found:
            found["wheels"] = fitting
    return {name: value for name, value in found.items() if value != []}


def _placed(package: Mapping[str, Any], folder: Path) -> Table:
    found = dict(package)
    for name in _FILES:
        if name in found:
            found[name] = _file(found[name], folder)
    if "wheels" in found:
        found["wheels"] = [_file(one, folder) for one in found["wheels"]]
    return found


def _file(entry: Mapping[str, Any], folder: Path) -> Table:
    # When a file was uploaded says nothing that its hash does not.
    found = {name: value for name, value in entry.items() if name != "upload-time"}
    if "path" in found:
        found["path"] = str((folder / found["path"]).resolve())
    return found


def _fitting(wheels: Iterable[Table], machine: Machine) -> list[Table]:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    from cogyard.environment.lock import file_name

    possible = frozenset(tags(machine, local_builds=True))
    found = []
    for wheel in wheels:
        try:
            *_, carried = parse_wheel_filename(file_name(wheel))
        except InvalidWheelFilename as error:
            raise LockInvalidError(f"the lock names a file that is not a wheel: {error}") from error
        if carried & possible:
            found.append(wheel)
    return found
