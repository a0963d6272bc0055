"""What an image has to do with weights that are not in it: what it says of them, and what stays out of its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from cogyard.oci.descriptor import INDEX, Descriptor, Platform
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import Index, decode, describe
from cogyard.project import Project
from cogyard.project.ignore import SourceFile

if TYPE_CHECKING:
    from cogyard.weights.artifact import Artifact


def without_weights(project: Project, files: Iterable[SourceFile]) -> Iterator[SourceFile]:
    """Yield a project's files but those that come as weights, where they come from and where they stand."""
    if not project.config.weights:
        yield from files
        return
    from cogyard.weights.paths import in_project
    from cogyard.weights.wishes import FILE, wish_of

    wishes = [wish_of(each) for each in project.config.weights]
    targets = [f"{each}/" for each in (in_project(wish.target) for wish in wishes) if each]
    sources = [
        (f"{source.uri.removeprefix(FILE + './')}/", source)
        for wish in wishes
        for source in wish.sources
        if source.uri.startswith(FILE + "./")
    ]
    for file in files:
        below = [
            source
            for start, source in sources
            if file.name.startswith(start) and source.takes(file.name[len(start) :])
        ]
        if not below and not any(file.name.startswith(target) for target in targets):
            yield file


def keep(store: ImageStore, artifacts: Sequence[Artifact]) -> list[Descriptor]:
    """Write the documents of artifacts into the store; return how they stand in an index."""
    for each in artifacts:
        store.write(each.config())
        store.write(each.manifest())
    return [each.entry() for each in artifacts]


def index_of(
    store: ImageStore,
    image: Descriptor,
    where: Platform,
    entries: Sequence[Descriptor],
    *,
    there: Descriptor | None = None,
) -> Descriptor:
    """Write the index of one image and what comes beside it; the one that is `there`, if it names just these."""
    own = Descriptor(media_type=image.media_type, digest=image.digest, size=image.size, platform=where)
    every = [own, *entries]
    if there is not None:
        known = decode(store.read(there.digest), Index, what=f"the index {there.digest}")
        if {each.digest for each in known.manifests} == {each.digest for each in every}:
            return there
    descriptor, data = describe(Index(schema_version=2, media_type=INDEX, manifests=every), INDEX)
    store.write(data)
    return descriptor


def kept(store: ImageStore, entries: Iterable[Descriptor]) -> tuple[Artifact, ...]:
    """Return the weights among the entries of an index of the store.

    Raises ArtifactInvalidError, BlobMissingError.
    """
    found: list[Artifact] = []
    for each in entries:
        # Most images have none beside them, and importing this takes time.
        from cogyard.weights.artifact import MAX_CONFIG, config_of, is_entry, read_artifact

        if not is_entry(each):
            continue
        manifest = store.read(each.digest)
        found.append(read_artifact(manifest, store.read(config_of(manifest).digest, MAX_CONFIG)))
    return tuple(found)
