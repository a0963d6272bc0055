"""A lock of every platform, narrowed to one target: PEP 751 documents as values. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cogyard.environment.lock import LockInvalidError
from cogyard.environment.machine import Machine, environment, tags
from cogyard.environment.target import Target

Table = dict[str, Any]

#: What says where a package came from and why, not what is installed: the same packages give the same bytes.
_NOT_INSTALLED = frozenset({"marker", "index", "tool", "dependencies"})
_FILES = ("archive", "sdist", "directory")


def parse(text: str, name: str = "the lock", hint: str | None = None) -> Table:
    """Return a lock's document; raise LockInvalidError for what is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LockInvalidError(f"{name} cannot be read: {error}", hint=hint) from error


def render(document: Mapping[str, Any]) -> str:
    """Return a document's text; the same document gives the same bytes."""
    from cogyard.environment.toml import dumps

    return dumps(document)


def narrowed(document: Mapping[str, Any], machine: Machine, folder: Path) -> Table:
    """Return what of a lock `machine` installs: one file of each package, and no package of other platforms.

    Relative paths count from `folder`; addresses lose users and passwords. Raises LockInvalidError.
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


def for_target(document: Table, target: Target, folder: Path) -> Table:
    """Return what of a lock a target installs; all of it for a machine that we make no image for."""
    machine = target.machine
    return absolute(document, folder) if machine is None else narrowed(document, machine, folder)


def absolute(document: Table, folder: Path) -> Table:
    """Return the document with every path absolute, counted from `folder`, and without passwords."""
    return {**document, "packages": [_placed(one, folder) for one in document.get("packages", [])]}


def shared(package: Mapping[str, Any], root: Path) -> Table:
    """Return a package as a lock that is shared holds it: paths inside `root` are relative to it."""
    found = dict(package)
    for name in _FILES:
        if name in found:
            found[name] = _shared_file(found[name], root)
    if "wheels" in found:
        found["wheels"] = [_shared_file(one, root) for one in found["wheels"]]
    return found


def without_credentials(url: str) -> str:
    """Return an http(s) address without user and password; the user of git over ssh is no secret."""
    parts = urlsplit(url)
    if not parts.scheme.endswith(("http", "https")) or "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _shared_file(entry: Mapping[str, Any], root: Path) -> Table:
    path = Path(str(entry.get("path", "")))
    inside = "path" in entry and path.is_relative_to(root)
    return {**entry, "path": path.relative_to(root).as_posix()} if inside else dict(entry)


def _wanted(package: Mapping[str, Any], machine: Machine) -> bool:
    marker = package.get("marker")
    if marker is None:
        return True
    from packaging.markers import Marker

    values = {name: str(value) for name, value in environment(machine).items()}
    return Marker(marker).evaluate(values)


def _package(package: Mapping[str, Any], machine: Machine, folder: Path) -> Table:
    found = {name: value for name, value in _placed(package, folder).items() if name not in _NOT_INSTALLED}
    if "wheels" in found:
        best = _best(found["wheels"], machine)
        if best is not None:
            found.pop("sdist", None)
        found["wheels"] = [] if best is None else [best]
    return {name: value for name, value in found.items() if value != []}


def _placed(package: Mapping[str, Any], folder: Path) -> Table:
    found = dict(package)
    for name in _FILES:
        if name in found:
            found[name] = _file(found[name], folder)
    if "url" in found.get("vcs", {}):
        found["vcs"] = {**found["vcs"], "url": without_credentials(str(found["vcs"]["url"]))}
    if "wheels" in found:
        found["wheels"] = [_file(one, folder) for one in found["wheels"]]
    return found


def _file(entry: Mapping[str, Any], folder: Path) -> Table:
    # When a file was uploaded says nothing that its hash does not.
    found = {name: value for name, value in entry.items() if name != "upload-time"}
    if "path" in found:
        found["path"] = str((folder / found["path"]).resolve())
    url = str(found.get("url", ""))
    if url.startswith("file:"):  # of a folder of wheels; a path can be made relative
        found["path"] = unquote(urlsplit(found.pop("url")).path)
    elif url:
        found["url"] = without_credentials(url)
    return found


def _best(wheels: Iterable[Table], machine: Machine) -> Table | None:
    """Return the wheel that an installer takes: the most specific for the machine, of these the latest build."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    from cogyard.environment.lock import file_name

    ranks = {tag: rank for rank, tag in enumerate(tags(machine, local_builds=True))}
    found: list[tuple[int, tuple[int, str], Table]] = []
    for wheel in wheels:
        try:
            _, _, build, carried = parse_wheel_filename(file_name(wheel))
        except InvalidWheelFilename as error:
            raise LockInvalidError(f"the lock names a file that is not a wheel: {error}") from error
        rank = min((ranks[tag] for tag in carried if tag in ranks), default=None)
        if rank is not None:
            found.append((-rank, (build[0], build[1]) if build else (-1, ""), wheel))
    return max(found, key=lambda one: one[:2], default=(0, (0, ""), None))[2]
