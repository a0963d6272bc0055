"""Packages of a release, read lazily: the index has 60,000 stanzas and a base needs 80 of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from debian.deb822 import Packages
from debian.debian_support import Version

from cogyard.image.errors import DebianError

_NAME = re.compile(rb"^Package: *(\S+)", re.MULTILINE)
_PROVIDES = re.compile(rb"^Provides: *(.+)$", re.MULTILINE)
_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_FILENAME = re.compile(r"[A-Za-z0-9._+~/%:-]+\.deb\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """One alternative of a dependency: a name and, perhaps, a bound on its version."""

    name: str
    operator: str | None = None
    version: str | None = None

    def allows(self, version: str) -> bool:
        """Whether a package of this version will do."""
        if self.operator is None or self.version is None:
            return True
        mine, bound = Version(version), Version(self.version)
        return {
            "<<": mine < bound,
            "<=": mine <= bound,
            "=": mine == bound,
            ">=": mine >= bound,
            ">>": mine > bound,
        }[self.operator]

    def __str__(self) -> str:
        return self.name if self.operator is None else f"{self.name} ({self.operator} {self.version})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """One package of the archive, and where to fetch it."""

    name: str
    version: str
    architecture: str
    depends: tuple[tuple[Relation, ...], ...]
    """Pre-Depends and Depends: all of them, each by any of its alternatives."""
    conflicts: tuple[Relation, ...]
    provides: tuple[Relation, ...]
    url: str
    sha256: str
    size: int


class Universe:
    """Every package that may be chosen, by name and by what provides it."""

    def __init__(self, name: str = "Debian") -> None:
        """Begin empty; `add` indexes. `name` is the distribution's."""
        self.name = name
        self._stanzas: dict[str, list[tuple[bytes, str]]] = {}
        self._providers: dict[str, set[str]] = {}
        self._packages: dict[str, list[Package]] = {}

    def add(self, index: bytes, base: str) -> None:
        """Take in a Packages file whose `Filename`s are relative to `base`."""
        for stanza in index.split(b"\n\n"):
            name = _NAME.search(stanza)
            if name is None:
                continue
            decoded = name[1].decode("ascii", "replace")
            self._stanzas.setdefault(decoded, []).append((stanza, base))
            self._packages.pop(decoded, None)
            # Most provide nothing, and to look for a word takes a third of the time.
            if b"Provides:" in stanza and (provides := _PROVIDES.search(stanza)):
                for each in provides[1].decode("ascii", "replace").split(","):
                    self._providers.setdefault(each.split()[0].partition(":")[0], set()).add(decoded)

    def named(self, name: str) -> list[Package]:
        """Return the versions of a package, newest first."""
        if name not in self._packages:
            found = [_read(stanza, base) for stanza, base in self._stanzas.get(name, ())]
            self._packages[name] = sorted(found, key=lambda each: Version(each.version), reverse=True)
        return self._packages[name]

    def providers(self, name: str) -> list[Package]:
        """Return packages that provide a virtual name, in the order of their own names."""
        return [package for each in sorted(self._providers.get(name, ())) for package in self.named(each)[:1]]

    def names(self) -> Iterable[str]:
        """Yield every package's name."""
        return self._stanzas


def relations(stanza: Packages, *fields: str) -> tuple[tuple[Relation, ...], ...]:
    """Return a stanza's dependency fields as conjunctions of alternatives."""
    found = []
    for field in fields:
        for alternatives in stanza.relations.get(field, ()):
            group = []
            for each in alternatives:
                operator, version = each.get("version") or (None, None)
                group.append(Relation(name=each["name"], operator=operator, version=version))
            found.append(tuple(group))
    return tuple(found)


def _read(data: bytes, base: str) -> Package:
    stanza = Packages(data.decode("utf-8", "replace"))
    name, filename, sha256 = stanza.get("Package", ""), stanza.get("Filename", ""), stanza.get("SHA256", "")
    parts = filename.split("/")
    if (
        not (_PACKAGE_NAME.match(name) and _SHA256.match(sha256) and _FILENAME.match(filename))
        or ".." in parts
    ):
        raise DebianError(f"the Debian index has a broken entry for {name!r}")
    return Package(
        name=name,
        version=stanza["Version"],
        architecture=stanza["Architecture"],
        depends=relations(stanza, "pre-depends", "depends"),
        conflicts=tuple(each for group in relations(stanza, "conflicts", "breaks") for each in group),
        provides=tuple(each for group in relations(stanza, "provides") for each in group),
        url=f"{base}/{filename}",
        sha256=sha256,
        size=int(stanza["Size"]),
    )
