"""cog.lock: a lock of PEP 751 for one or more platforms, which says what was asked and why each choice was made.

Theory of operation: the document is a valid pylock.toml. Packages that not every platform has carry a marker; what
is ours stands under `tool.cogyard`, where other tools do not look. It is narrowed to one platform when it is used, and
then has the very bytes that a resolution for that platform gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cogyard.environment import pylock
from cogyard.environment.lock import Lock, LockInvalidError
from cogyard.environment.machine import MACHINES
from cogyard.environment.reasons import Origin, asked_by, chain
from cogyard.environment.target import Target

FORMAT = 1
HEADER = "# Made by `cog lock`; commit it. `cog lock --check` compares it with the project, `cog why NAME` explains.\n"


@dataclass(frozen=True)
class CogLock:
    """A cog.lock as a value; `root` is the folder its paths count from."""

    document: Mapping[str, Any]
    root: Path

    @cached_property
    def own(self) -> Mapping[str, Any]:
        """The table `tool.cogyard`."""
        found = self.document.get("tool", {}).get("cogyard", {})
        return found if isinstance(found, Mapping) else {}

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms it was made for, such as linux/amd64."""
        return tuple(self.own.get("platforms", ()))

    @property
    def packages(self) -> Sequence[Mapping[str, Any]]:
        """The model's packages, sorted by name."""
        found: Sequence[Mapping[str, Any]] = self.document.get("packages", [])
        return found

    @property
    def text(self) -> str:
        """The file's text."""
        return HEADER + pylock.render(self.document)

    def changes(self, asked: Mapping[str, Any]) -> list[str]:
        """Return in words what the project asks for and the lock was not made for; nothing when it matches."""
        return list(_changes(self.own.get("asked", {}), asked))

    def lock(self, target: Target, name: str) -> Lock | None:
        """Return the packages of one platform; None when it was not made for that one."""
        machine = target.machine
        if machine is None or f"linux/{machine.architecture}" not in self.platforms:
            return None
        document = pylock.narrowed(self.document, machine, self.root)
        if not all(_has_file(one) for one in document["packages"]):
            return None  # this machine's C library is older than every wheel's
        return Lock(pylock.render(document), target.python, target.platform, origin=name)

    def server(self, target: Target, version: str, *, tracing: bool = False) -> Lock | None:
        """Return the model server's packages of one platform; None where it holds none of that release."""
        held, machine = self.own.get("server", {}), target.machine
        if machine is None or target.platform not in self.platforms:
            return None
        if (held.get("version"), held.get("tracing", False)) != (version, tracing):
            return None
        document = pylock.narrowed({"packages": held.get("packages", [])}, machine, self.root)
        if not all(_has_file(one) for one in document["packages"]):
            return None
        return Lock(pylock.render(document), target.python, target.platform)

    def base(self, platform: str) -> Mapping[str, str] | None:
        """Return the base image's row of one platform: its name, its digest and why."""
        return next((one for one in self.own.get("bases", ()) if one.get("platform") == platform), None)

    def because(self, name: str) -> tuple[str, ...]:
        """Return why a package is there, a sentence for each that wants it."""
        found = [one for one in self.packages if one["name"] == name]
        sentences = [
            text for one in found for text in one.get("tool", {}).get("cogyard", {}).get("because", ())
        ]
        return tuple(dict.fromkeys(sentences))

    def chain(self, name: str) -> tuple[str, ...]:
        """Return the shortest way from a package that the project names to `name`, both included."""
        parents: dict[str, list[str]] = {}
        for one in self.packages:
            for child in one.get("dependencies", ()):
                parents.setdefault(str(child["name"]), []).append(str(one["name"]))
        named = set(asked_by(self.own.get("asked", {}).get("requirements", ())))
        origins = {
            str(one["name"]): Origin(
                parents=tuple(parents.get(str(one["name"]), ())), asked=str(one["name"]) in named
            )
            for one in self.packages
        }
        return chain(name, origins)


def read(path: Path) -> CogLock | None:
    """Read a cog.lock; None when there is none. Raises LockInvalidError with the way out."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise LockInvalidError(f"{path.name} cannot be read: {error}", hint=_hint(path)) from error
    document = pylock.parse(text, path.name, _hint(path))
    found = CogLock(document, path.parent)
    version = found.own.get("format")
    if version != FORMAT:
        message = f"{path.name} has the format {version!r}, and this release reads format {FORMAT}"
        raise LockInvalidError(message, hint=_hint(path))
    return found


def merged(documents: Mapping[str, pylock.Table]) -> list[dict[str, Any]]:
    """Return the packages of several platforms as one list; what not all have carries a marker."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    holders: dict[tuple[str, str], list[str]] = {}
    for platform, document in documents.items():
        for package in document["packages"]:
            key = (str(package["name"]), _identity(package))
            holders.setdefault(key, []).append(platform)
            if key in found:
                known = found[key].get("wheels", [])
                found[key]["wheels"] = known + [one for one in package.get("wheels", []) if one not in known]
            else:
                found[key] = dict(package)
    for key, package in found.items():
        if len(holders[key]) < len(documents):
            package["marker"] = _marker(holders[key])
        if "wheels" in package:
            package["wheels"] = sorted(
                package["wheels"], key=lambda one: str(one.get("url") or one.get("path"))
            )
    return [_ordered(found[key]) for key in sorted(found)]


def _identity(package: Mapping[str, Any]) -> str:
    source = {
        name: package.get(name) for name in ("version", "archive", "vcs", "directory", "sdist", "index")
    }
    return repr(source)


_ORDER = (
    "name",
    "version",
    "marker",
    "index",
    "dependencies",
    "archive",
    "vcs",
    "directory",
    "sdist",
    "wheels",
    "tool",
)


def _ordered(package: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: package[name] for name in _ORDER if package.get(name) not in (None, [], {})}
    return {**known, **{name: value for name, value in package.items() if name not in _ORDER}}


def _marker(platforms: Sequence[str]) -> str:
    machines = (MACHINES[one.partition("/")[2]] for one in platforms)
    return " or ".join(f"platform_machine == '{one}'" for one in machines)


def _has_file(package: Mapping[str, Any]) -> bool:
    return any(name in package for name in ("wheels", "sdist", "archive", "vcs", "directory"))


def _hint(path: Path) -> str:
    return f"`cog lock` writes {path.name} anew."


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old or new, list):
            yield from (f"{one} was taken out" for one in old or () if one not in (new or ()))
            yield from (f"{one} was added" for one in new or () if one not in (old or ()))
        elif isinstance(old or new, Mapping):
            yield from (
                f"{one} changed" for one in sorted({*(old or {}), *(new or {})}) if _differs(one, old, new)
            )
        elif old is None or new is None:
            yield f"{name} {new} was added" if old is None else f"{name} {old} was taken out"
        else:
            yield f"{name} was {old}, and is {new} now"


def _differs(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    return (old or {}).get(name) != (new or {}).get(name)
