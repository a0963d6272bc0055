"""Why each package is in a lock: who asks for it, with which condition, and from which index it came. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_WHEEL = re.compile(r"(?:^|/)(?P<name>[A-Za-z0-9._]+)-[^-/]+-[^/]*[.](?:whl|tar[.]gz|zip)(?:[ ;]|$)")
_COMMENT = re.compile(r"^\s+#\s?(?P<text>.*)$")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where one package of a resolution comes from; `parents` are packages, `asked` that the project names it."""

    parents: tuple[str, ...] = ()
    asked: bool = False
    index: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """The edges of a resolution. `needs` are requirement texts of each package, as far as its metadata is known."""

    origins: Mapping[str, Origin] = field(default_factory=dict)
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    """The project's own requirement lines by package."""
    source: str = "cog.yaml"

    def of(self, name: str) -> tuple[str, ...]:
        """Return a sentence's half for each that wants `name`: "cog.yaml asks for x>=2", "torch 2.3.1 requires …"."""
        origin = self.origins.get(name, Origin())
        found = []
        if origin.asked or name in self.asked:
            found.append(f"{self.source} asks for {self.asked.get(name, name)}")
        for parent in origin.parents:
            version = self.versions.get(parent)
            who = f"{parent} {version}" if version else parent
            found.append(f"{who} requires {self._condition(parent, name)}")
        return tuple(found)

    def _condition(self, parent: str, name: str) -> str:
        texts = [text for text in self.needs.get(parent, ()) if _named(text) == name]
        conditions = list(dict.fromkeys(_without_marker(text) for text in texts))
        return " and ".join(conditions) or name


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_by(lines: Iterable[str]) -> dict[str, str]:
    """Return requirement lines by the package each names; of a wheel's path or address, its file's name."""
    return {name: _without_marker(line).partition(" --hash")[0] for line in lines if (name := _named(line))}


def read_annotations(text: str, roots: Iterable[str]) -> dict[str, Origin]:
    """Read uv's annotated list of requirements: `# via …` who wants a package, `# from …` the index.

    `roots` are the names by which it calls the project itself.
    """
    found: dict[str, Origin] = {}
    names = {canonical(one) for one in roots}
    current: str | None = None
    via: list[str] = []
    index: str | None = None

    def keep() -> None:
        if current is not None:
            parents = tuple(dict.fromkeys(canonical(one) for one in via if not one.startswith("-")))
            own = any(one.startswith("-r ") for one in via) or any(one in names for one in parents)
            listed = tuple(one for one in parents if one not in names)
            found[current] = Origin(parents=listed, asked=own, index=index)

    for line in text.splitlines():
        comment = _COMMENT.match(line)
        if comment is None:
            if line.strip() and not line.startswith(("#", "-", " ")):
                keep()
                current, via, index = _named(line), [], None
            continue
        said = comment["text"].strip()
        if said.startswith("from "):
            index = said.removeprefix("from ").strip()
        elif said and said != "via":
            via.append(re.sub(r"\s*\(.*\)$", "", said.removeprefix("via ").strip()))
    keep()
    return found


def chain(name: str, origins: Mapping[str, Origin]) -> tuple[str, ...]:
    """Return the shortest way from what the project asks for to `name`, both included; empty when there is none."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen = {name}
    while ways:
        way = ways.pop(0)
        origin = origins.get(way[0], Origin())
        if origin.asked:
            return way
        for parent in origin.parents:
            if parent not in seen:
                seen.add(parent)
                ways.append((parent, *way))
    return ()


def _named(text: str) -> str | None:
    text = text.strip()
    found = _WHEEL.search(text) if "/" in text.partition("@")[0] else None
    found = found or re.match(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)", text)
    return canonical(found["name"]) if found else None


def _without_marker(text: str) -> str:
    # older metadata writes `name (==1.2)`
    return re.sub(r"\s+", " ", re.sub(r"\s*\(([^)]*)\)", r"\1", text.partition(";")[0]).strip())
