"""From a source to an artifact: every file kept by its digest, the layers made, the entry for weights.lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cogyard.oci.digest import of
from cogyard.oci.layout import ImageStore
from cogyard.weights.artifact import MOST_FILES, Artifact, WeightFile
from cogyard.weights.errors import ArtifactInvalidError, SourceError
from cogyard.weights.files import WeightFiles
from cogyard.weights.lock import Entry, Source
from cogyard.weights.packing import ALONE, Member, PackedLayer, pack, plan
from cogyard.weights.sources.base import Progress, SourceFile, WeightSource
from cogyard.weights.sources.folder import FolderSource
from cogyard.weights.sources.hub import HubSource
from cogyard.weights.sources.web import Fetching, WebSource
from cogyard.weights.wishes import FILE, HUB, Wishes

#: Files read or fetched at once: hashing releases Python's lock, and a connection waits.
_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Importer:
    """Imports the weights of one project."""

    project: Path
    files: WeightFiles
    store: ImageStore
    environment: Mapping[str, str]
    now: str
    progress: Progress
    #: From which size on a file is alone in a layer.
    alone: int = ALONE

    def look(self, wishes: Wishes) -> tuple[SourceFile, ...]:
        """Return the files that an import would take, keeping nothing. Raises SourceError."""
        return tuple(file for file, _ in self._found(wishes)[0])

    def run(self, wishes: Wishes) -> Entry:
        """Import one set of weights. Raises WeightsError, and the store's errors."""
        found, sources = self._found(wishes)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            kept = list(pool.map(lambda each: each[0].take(self.files), found))
        members = [
            Member(path=file.path, size=size, digest=digest)
            for (file, _), (digest, size) in zip(found, kept, strict=True)
        ]
        artifact = self._pack(wishes, members)
        named = [
            each if each.fingerprint else replace(each, fingerprint=self._own(artifact, found, number))
            for number, each in enumerate(sources)
        ]
        return Entry(artifact=artifact, digest=of(artifact.manifest()), sources=tuple(named))

    def _found(self, wishes: Wishes) -> tuple[list[tuple[SourceFile, int]], list[Source]]:
        """Return the files with the number of their source, and the sources."""
        found: dict[str, tuple[SourceFile, int]] = {}
        sources = []
        for number, wish in enumerate(wishes.sources):
            self.progress(f"looking at {wish.uri}")
            listing = self._source(wish.uri).list(wish.takes)
            for file in listing.files:
                if file.path in found:
                    raise SourceError(f"{file.path!r:.120} is in two sources of the weights `{wishes.name}`")
                found[file.path] = (file, number)
            if not listing.files:
                raise SourceError(
                    f"the source {wish.uri} of the weights `{wishes.name}` gives no file",
                    hint="Look at the patterns of include and exclude."
                    if wish.include or wish.exclude
                    else None,
                )
            sources.append(
                Source(
                    uri=wish.uri,
                    fingerprint=listing.fingerprint or "",
                    include=wish.include,
                    exclude=wish.exclude,
                    imported_at=self.now,
                )
            )
        if len(found) > MOST_FILES:
            raise SourceError(
                f"the weights `{wishes.name}` have {len(found)} files; the limit is {MOST_FILES}"
            )
        return list(found.values()), sources

    def _source(self, uri: str) -> WeightSource:
        if uri.startswith(FILE):
            return FolderSource.of(uri, self.project)
        if uri.startswith(HUB):
            return HubSource.of(uri, self.environment, self.progress)
        return WebSource(uri=uri, fetching=Fetching(progress=self.progress))

    def _pack(self, wishes: Wishes, members: Sequence[Member]) -> Artifact:
        planned = plan(members, alone=self.alone)
        self.progress(f"packing {wishes.name}: {len(members)} files in {len(planned)} layers")
        make = partial(pack, path=self.files.path, store=self.store, alone=self.alone)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            packed = list(pool.map(make, planned))
        artifact = Artifact(
            name=wishes.name,
            target=wishes.target,
            files=tuple(_file(member, each) for each in packed for member in each.members),
            layers=tuple({each.layer.digest: each.layer for each in packed}.values()),
        )
        try:
            artifact.check()
        except ArtifactInvalidError as error:
            raise SourceError(error.message) from None
        return artifact

    def _own(self, artifact: Artifact, found: Sequence[tuple[SourceFile, int]], number: int) -> str:
        """Return what names a source that has no name for its moment: the digest of its files."""
        paths = {file.path for file, source in found if source == number}
        mine = tuple(each for each in artifact.files if each.path in paths)
        return replace(artifact, files=mine).set_digest


def _file(member: Member, packed: PackedLayer) -> WeightFile:
    return WeightFile(path=member.path, layer=packed.layer.digest, size=member.size, digest=member.digest)
