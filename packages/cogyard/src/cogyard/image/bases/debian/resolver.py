"""Choose packages so that every dependency is met. Pure; the same universe and wishes give the same choice.

A solver for an empty or finished system: nothing is removed and nothing downgraded, so that a greedy walk
(the newest version, the first alternative that can be had, in the order Debian's maintainers wrote them)
finds what apt finds. What it cannot meet it reports with the chain of who wanted it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from cogyard.image.bases.debian.index import Package, Relation, Universe
from cogyard.image.errors import DebianError

#: Names that many a cog.yaml still has, and what took their place.
_SUCCESSORS: Mapping[str, str] = {
    "libgl1-mesa-glx": "libgl1",
    "libgdk-pixbuf2.0-0": "libgdk-pixbuf-2.0-0",
    "libturbojpeg": "libturbojpeg0",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """What a base has already: versions by package name, and the names they provide."""

    versions: Mapping[str, str] = field(default_factory=dict)
    provides: Mapping[str, tuple[Relation, ...]] = field(default_factory=dict)

    def meets(self, relation: Relation) -> bool:
        """Whether the relation holds without installing anything."""
        if relation.name in self.versions and relation.allows(self.versions[relation.name]):
            return True
        return any(
            provided.name == relation.name and _provides(provided, relation)
            for group in self.provides.values()
            for provided in group
        )


def resolve(wishes: Iterable[str], universe: Universe, installed: Installed | None = None) -> list[Package]:
    """Return the packages to install, in the order of their names.

    A wish is `name` or `name=version`. Raises DebianError naming the package and who needs it.
    """
    have = installed or Installed()
    chosen: dict[str, Package] = {}
    queue: list[tuple[tuple[Relation, ...], tuple[str, ...]]] = []
    for wish in wishes:
        name, equals, version = wish.partition("=")
        relation = Relation(name=name, operator="=", version=version) if equals else Relation(name=name)
        queue.append(((relation,), ()))
    while queue:
        alternatives, chain = queue.pop(0)
        if any(have.meets(each) or _met(each, chosen) for each in alternatives):
            continue
        package = _choose(alternatives, universe, have, chosen, chain)
        chosen[package.name] = package
        queue.extend((group, (*chain, package.name)) for group in package.depends)
    _check_conflicts(chosen, have)
    return [chosen[name] for name in sorted(chosen)]


def _choose(
    alternatives: tuple[Relation, ...],
    universe: Universe,
    have: Installed,
    chosen: Mapping[str, Package],
    chain: tuple[str, ...],
) -> Package:
    taken = None
    for relation in alternatives:
        for package in [*universe.named(relation.name), *universe.providers(relation.name)]:
            if package.name in have.versions or package.name in chosen:
                taken = package.name
                continue
            if _satisfies(package, relation):
                return package
    wanted = " | ".join(map(str, alternatives))
    needed, path = _told(chain)
    if taken is not None:
        version = have.versions.get(taken) or chosen[taken].version
        raise DebianError(f"{wanted}{needed} does not go with {taken} {version}, which is there{path}")
    if not chain:
        raise DebianError(
            f"{universe.name} has no package {wanted!r}",
            hint=_guess(alternatives[0].name, universe)
            or "Check the spelling in build.system_packages; packages of other archives are not available.",
        )
    raise DebianError(f"{universe.name} has nothing for {wanted}{needed}{path}")


def needed_by(name: str, wishes: Iterable[str], packages: Iterable[Package]) -> str:
    """Say who needs a package of those that were chosen, as ", which a needs"; nothing for a wish itself."""
    known = {each.name: each for each in packages}
    waiting: deque[tuple[str, tuple[str, ...]]] = deque((wish.partition("=")[0], ()) for wish in wishes)
    seen: set[str] = set()
    while waiting:
        current, chain = waiting.popleft()
        if current == name:
            return "".join(_told(chain))
        if current in seen or current not in known:
            continue
        seen.add(current)
        below = {each.name for group in known[current].depends for each in group}
        provided = {each.name for each in known.values() for one in each.provides if one.name in below}
        waiting.extend((each, (*chain, current)) for each in sorted(below | provided))
    return ""


def _told(chain: tuple[str, ...]) -> tuple[str, str]:
    """Return words for who needs something, and for the way from the wish to it."""
    return (
        f", which {chain[-1]} needs" if chain else "",
        f" ({' → '.join(chain)})" if len(chain) > 1 else "",
    )


def _guess(name: str, universe: Universe) -> str | None:
    """Return a hint that names what was meant; None where nothing is like it."""
    if (successor := _SUCCESSORS.get(name)) is not None and universe.named(successor):
        return f"Newer releases have {successor} in its place."
    alike = [each for each in universe.names() if each[:2] == name[:2]]
    close = get_close_matches(name, alike, n=3, cutoff=0.8)
    return f"Did you mean {' or '.join(close)}?" if close else None


def _satisfies(package: Package, relation: Relation) -> bool:
    if package.name == relation.name:
        return relation.allows(package.version)
    return any(
        provided.name == relation.name and _provides(provided, relation) for provided in package.provides
    )


def _provides(provided: Relation, relation: Relation) -> bool:
    # Policy 7.5: an unversioned Provides meets only an unversioned relation.
    if relation.operator is None:
        return True
    return provided.version is not None and relation.allows(provided.version)


def _met(relation: Relation, chosen: Mapping[str, Package]) -> bool:
    direct = chosen.get(relation.name)
    if direct is not None and relation.allows(direct.version):
        return True
    return any(_satisfies(package, relation) for package in chosen.values())


def _check_conflicts(chosen: Mapping[str, Package], have: Installed) -> None:
    for package in chosen.values():
        for relation in package.conflicts:
            other = chosen.get(relation.name)
            if other is not None and other is not package and relation.allows(other.version):
                raise DebianError(
                    f"{package.name} {package.version} conflicts with {other.name} {other.version}"
                )
            version = have.versions.get(relation.name)
            if version is not None and relation.name != package.name and relation.allows(version):
                raise DebianError(
                    f"{package.name} {package.version} conflicts with {relation.name} {version} of the base"
                )
