"""What differs between two images of a model: its schema, its packages, its weights, its layers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cogyard.domain.compatibility import Change, compare
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.layout import StoredImage
from cogyard.weights.artifact import NAME, PLAIN_SIZE, SET_DIGEST, is_entry

SCHEMA, FREEZE = "run.cog.openapi_schema", "run.cog.pip_freeze"

_DASHES = re.compile(r"[-_.]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageChange:
    """One Python package: added (no `old`), removed (no `new`) or of another version."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BesideImage:
    """A set of weights beside an image, as the index says: its name, the digest of its files, their bytes."""

    name: str
    set_digest: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsChange:
    """One set of weights: added (no `old`), removed (no `new`) or of other files."""

    name: str
    old: BesideImage | None
    new: BesideImage | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What differs. `schema` is None when one of the images does not say what it takes and gives."""

    schema: tuple[Change, ...] | None
    packages: tuple[PackageChange, ...]
    weights: tuple[WeightsChange, ...]
    shared: tuple[Descriptor, ...]
    added: tuple[Descriptor, ...]
    removed: tuple[Descriptor, ...]

    @property
    def breaking(self) -> bool:
        """Whether a caller of the old image may be harmed."""
        return any(change.breaking for change in self.schema or ())


def difference(old: StoredImage, new: StoredImage) -> Difference:
    """Compare two images."""
    before, after = schema_of(old.config.labels), schema_of(new.config.labels)
    ours, theirs = ({each.digest: each for each in image.manifest.layers} for image in (old, new))
    return Difference(
        schema=None if before is None or after is None else compare(before, after),
        packages=_packages(old.config.labels.get(FREEZE, ""), new.config.labels.get(FREEZE, "")),
        weights=_weights(old, new),
        shared=tuple(each for digest, each in theirs.items() if digest in ours),
        added=tuple(each for digest, each in theirs.items() if digest not in ours),
        removed=tuple(each for digest, each in ours.items() if digest not in theirs),
    )


def beside_of(image: StoredImage) -> tuple[BesideImage, ...]:
    """Return the weights beside an image, by what its index says of them."""
    found = []
    for each in image.beside:
        notes = each.annotations or {}
        if is_entry(each):
            told = notes.get(PLAIN_SIZE, "")
            number = int(told) if told.isascii() and told.isdigit() and len(told) < 16 else 0
            found.append(
                BesideImage(name=notes.get(NAME, "?"), set_digest=notes.get(SET_DIGEST, ""), size=number)
            )
    return tuple(found)


def _weights(old: StoredImage, new: StoredImage) -> tuple[WeightsChange, ...]:
    before, after = ({each.name: each for each in beside_of(image)} for image in (old, new))
    changes = [
        WeightsChange(name=name, old=before.get(name), new=after.get(name))
        for name in sorted(before.keys() | after.keys())
    ]
    return tuple(
        each
        for each in changes
        if each.old is None or each.new is None or each.old.set_digest != each.new.set_digest
    )


def schema_of(labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the OpenAPI document of an image's labels; None when there is none that can be read."""
    try:
        found = msgspec.json.decode(labels.get(SCHEMA, ""))
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _packages(old: str, new: str) -> tuple[PackageChange, ...]:
    before, after = _frozen(old), _frozen(new)
    return tuple(
        PackageChange(name=name, old=before.get(name), new=after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _frozen(text: str) -> dict[str, str]:
    """Read `pip freeze`: `name==version` lines, and `name @ address` ones."""
    found = {}
    for line in text.splitlines():
        name, mark, version = line.strip().partition("==")
        if not mark:
            name, mark, version = line.strip().partition(" @ ")
        if mark:
            found[_DASHES.sub("-", name.strip()).lower()] = version.strip()
    return found
