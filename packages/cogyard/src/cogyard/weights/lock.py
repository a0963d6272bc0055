"""weights.lock: what was imported, from where, and what it became. The form is Cog's, version 1. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from cogyard.project.values import Weights
from cogyard.weights.artifact import Artifact, WeightFile, WeightLayer
from cogyard.weights.errors import ArtifactInvalidError, LockInvalidError, NotImportedError
from cogyard.weights.wishes import Wish, wish_of

LOCK_NAME = "weights.lock"
VERSION = 1
_MOST = 256 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where weights came from, and what names that moment of the source."""

    uri: str
    fingerprint: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    imported_at: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One set of weights as it was imported."""

    artifact: Artifact
    digest: str
    sources: tuple[Source, ...]

    @property
    def stored_size(self) -> int:
        """The bytes that a registry holds."""
        return sum(each.size for each in self.artifact.layers)

    def fits(self, declared: Weights) -> bool:
        """Whether it was imported as cog.yaml has it now."""
        wish = wish_of(declared)
        mine = tuple(Wish(uri=each.uri, include=each.include, exclude=each.exclude) for each in self.sources)
        return (self.artifact.name, self.artifact.target, mine) == (wish.name, wish.target, wish.sources)

    def same(self, other: Entry | None) -> bool:
        """Whether nothing but the time of the import differs."""
        return other is not None and _timeless(self) == _timeless(other)


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsLock:
    """Every set of weights of a project."""

    entries: tuple[Entry, ...] = field(default=())

    def find(self, name: str) -> Entry | None:
        """Return the entry of a name."""
        return next((each for each in self.entries if each.artifact.name == name), None)

    def having(self, entry: Entry, order: Sequence[str]) -> WeightsLock:
        """Return the lock with an entry in place of the one of its name; in the order of the names of cog.yaml."""
        kept = {each.artifact.name: each for each in self.entries} | {entry.artifact.name: entry}
        first = [name for name in order if name in kept]
        return WeightsLock(entries=tuple(kept[name] for name in dict.fromkeys([*first, *kept])))

    def only(self, names: Sequence[str]) -> WeightsLock:
        """Return the lock without entries of other names."""
        return WeightsLock(entries=tuple(each for each in self.entries if each.artifact.name in names))

    def of(self, declared: Sequence[Weights]) -> tuple[Entry, ...]:
        """Return the entries of what cog.yaml declares. Raises NotImportedError."""
        found = []
        for each in declared:
            entry = self.find(each.name)
            if entry is None or not entry.fits(each):
                what = "is not in" if entry is None else "is not as in"
                raise NotImportedError(
                    f"the weights `{each.name}` of cog.yaml: their declaration {what} {LOCK_NAME}",
                    hint=f"cog weights import {each.name}",
                )
            found.append(entry)
        return tuple(found)

    def encode(self) -> bytes:
        """Return the file's bytes; the same entries give the same."""
        document = {"version": VERSION, "weights": [_document(each) for each in self.entries]}
        return json.dumps(document, indent=2, ensure_ascii=False).encode()


class _Source(msgspec.Struct, rename={"imported_at": "importedAt"}):
    uri: str
    fingerprint: str
    include: list[str] = []
    exclude: list[str] = []
    imported_at: str = ""


class _Layer(msgspec.Struct, rename={"media_type": "mediaType", "plain_size": "sizeUncompressed"}):
    digest: str
    media_type: str
    size: int
    plain_size: int


class _Entry(msgspec.Struct, rename={"set_digest": "setDigest"}):
    name: str
    target: str
    source: _Source | list[_Source]
    digest: str
    set_digest: str
    files: list[WeightFile]
    layers: list[_Layer]


class _Lock(msgspec.Struct):
    version: int
    weights: list[_Entry] = []


class _Version(msgspec.Struct):
    version: Any = None


def decode(data: bytes) -> WeightsLock:
    """Read the file. Raises LockInvalidError."""
    try:
        version = msgspec.json.decode(data[:_MOST], type=_Version).version
        if version != VERSION:
            raise LockInvalidError(
                f"{LOCK_NAME} has the version {version!r}; {VERSION} is what is read here",
                hint="Import anew: cog weights import",
            )
        found = msgspec.json.decode(data, type=_Lock)
        return WeightsLock(entries=tuple(_entry(each) for each in found.weights))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LockInvalidError(
            f"{LOCK_NAME} cannot be read: {error}", hint="Take it from version control, or import anew."
        ) from None


def _entry(entry: _Entry) -> Entry:
    artifact = Artifact(
        name=entry.name,
        target=entry.target,
        files=tuple(entry.files),
        layers=tuple(
            WeightLayer(
                digest=each.digest, media_type=each.media_type, size=each.size, plain_size=each.plain_size
            )
            for each in entry.layers
        ),
    )
    try:
        artifact.check()
    except ArtifactInvalidError as error:
        raise LockInvalidError(
            f"{LOCK_NAME}: {error.message}", hint="Import anew: cog weights import"
        ) from None
    listed = entry.source if isinstance(entry.source, list) else [entry.source]
    sources = tuple(
        Source(
            uri=each.uri,
            fingerprint=each.fingerprint,
            include=tuple(each.include),
            exclude=tuple(each.exclude),
            imported_at=each.imported_at,
        )
        for each in listed
    )
    return Entry(artifact=artifact, digest=entry.digest, sources=sources)


def _document(entry: Entry) -> dict[str, Any]:
    artifact = entry.artifact
    sources = [
        {
            "uri": each.uri,
            "fingerprint": each.fingerprint,
            "include": sorted(each.include),
            "exclude": sorted(each.exclude),
            "importedAt": each.imported_at,
        }
        for each in entry.sources
    ]
    return {
        "name": artifact.name,
        "target": artifact.target,
        "source": sources[0] if len(sources) == 1 else sources,
        "digest": entry.digest,
        "setDigest": artifact.set_digest,
        "size": sum(each.plain_size for each in artifact.layers),
        "sizeCompressed": entry.stored_size,
        "files": [
            {"path": each.path, "size": each.size, "digest": each.digest, "layer": each.layer}
            for each in sorted(artifact.files, key=lambda each: each.path.encode())
        ],
        "layers": [
            {
                "digest": each.digest,
                "mediaType": each.media_type,
                "size": each.size,
                "sizeUncompressed": each.plain_size,
            }
            for each in sorted(artifact.layers, key=lambda each: each.digest)
        ],
    }


def _timeless(entry: Entry) -> bytes:
    still = replace(entry, sources=tuple(replace(each, imported_at="") for each in entry.sources))
    return WeightsLock(entries=(still,)).encode()
