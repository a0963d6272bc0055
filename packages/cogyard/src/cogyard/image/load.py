"""Take images out of a tar: an OCI layout, or what `docker save` and `podman save` write.

Theory of operation: nothing is unpacked by name. Every file of the archive becomes a blob named by its digest, and the
names are only looked up in a table; so a name cannot lead anywhere, and a layout's blob that is not what its name says
is refused. An image gets its name when everything it needs is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO

import msgspec

from cogyard.image.carried import REFERRERS, Carried, take_weights
from cogyard.image.contents import ArchiveError, ArchiveFile, Contents, read
from cogyard.image.expected import index_of, keep
from cogyard.oci import descriptor as media
from cogyard.oci.config import ImageConfig
from cogyard.oci.descriptor import Descriptor, Platform
from cogyard.oci.errors import InvalidReferenceError, OciError
from cogyard.oci.layout import REF_NAME, ImageStore
from cogyard.oci.manifest import MAX_MANIFEST, Document, Index, Manifest, decode, decode_any, describe
from cogyard.oci.reference import Reference
from cogyard.weights.artifact import config_of, is_entry
from cogyard.weights.files import WeightFiles

_CONTAINERD_NAME = "io.containerd.image.name"


class _Saved(msgspec.Struct, rename={"config": "Config", "layers": "Layers", "tags": "RepoTags"}):
    """One image of a docker archive."""

    config: str
    layers: list[str]
    tags: list[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An image of an archive, all of it in the store. `ref` is what a layout calls it, which may be a lone tag."""

    names: tuple[str, ...]
    descriptor: Descriptor
    ref: str = ""
    of_layout: bool
    beside: tuple[Descriptor, ...] = ()
    """How its weights stand in the index that names it."""
    index: Descriptor | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """An image that has its name now, and the weights that came with it."""

    reference: Reference
    carried: Carried = field(default_factory=Carried)


def load(
    store: ImageStore,
    stream: IO[bytes],
    *,
    architecture: str,
    tag: Reference | None = None,
    files: WeightFiles | None = None,
) -> tuple[Loaded, ...]:
    """Keep every image of a tar, compressed by gzip or zstd or not, under its own name, or the only one under `tag`.

    Of an index the image for linux on `architecture` is kept, and the weights beside it where `files` keeps weights.
    What is attached to an image stays so. Raises ArchiveError, ArtifactInvalidError, and the store's errors; nothing
    is named then.
    """
    with store.working():
        contents = read(store, stream)
        named = _named(_found(store, contents, architecture), tag)
        carried = {
            each.descriptor.digest: take_weights(
                store,
                files,
                each.beside,
                need=partial(_blob, contents),
                holds=lambda digest: contents.get(_path(digest)) is not None,
                spare=partial(_is_spare, store, contents, [one for _, one in named]),
            )
            for _, each in named
            if files is not None and each.beside
        }
        _attach(store, contents, {each.descriptor.digest for _, each in named})
        loaded = []
        for reference, each in named:
            weights = carried.get(each.descriptor.digest, Carried())
            descriptor = each.descriptor
            if weights.weights:
                where = Platform(os="linux", architecture=architecture)
                entries = keep(store, weights.weights)
                descriptor = index_of(store, descriptor, where, entries, there=each.index)
            store.tag(reference, descriptor)
            loaded.append(Loaded(reference=reference, carried=weights))
    return tuple(loaded)


def images_in(store: ImageStore, stream: IO[bytes], *, architecture: str) -> list[Found]:
    """Take every image of a tar into the store, without naming it; of an index the one for the architecture.

    Raises ArchiveError, and the store's errors.
    """
    return _found(store, read(store, stream), architecture)


def _found(store: ImageStore, contents: Contents, architecture: str) -> list[Found]:
    if contents.get("oci-layout") and contents.get("index.json"):
        return _of_layout(store, contents, architecture)
    if contents.get("manifest.json"):
        return _of_docker(store, contents)
    raise ArchiveError(
        "the archive holds no image: neither index.json nor manifest.json is in it",
        hint="`docker save`, `podman save` and `cog save` write what can be loaded.",
    )


def _is_spare(store: ImageStore, contents: Contents, found: Sequence[Found], digest: str) -> bool:
    """Say whether a blob came just now, and no image of the archive is made of it."""
    file = contents.get(_path(digest))
    manifests = [
        decode(store.read(each.descriptor.digest), Manifest, what=each.descriptor.digest) for each in found
    ]
    needed = {layer.digest for each in manifests for layer in [each.config, *each.layers]}
    return file is not None and file.new and digest not in needed


def _attach(store: ImageStore, contents: Contents, images: set[str]) -> None:
    """Attach to the archive's images what it lists as being about them."""
    if (listing := contents.get(REFERRERS)) is None:
        return
    about: dict[str, list[Manifest]] = {}
    for entry in _document(store, listing, Index, what=f"the archive's {REFERRERS}").manifests:
        document = _document(store, _blob(contents, entry), Manifest, what=f"the manifest {entry.digest}")
        for blob in [document.config, *document.layers]:
            _blob(contents, blob)
        # What is attached here already was not brought by whoever wrote this file.
        known = document.subject is not None and store.referrers(document.subject.digest)
        if document.subject is not None and document.subject.digest in images and not known:
            about.setdefault(document.subject.digest, []).append(document)
    for subject, manifests in about.items():
        store.attach(subject, manifests)


def _named(found: list[Found], tag: Reference | None) -> list[tuple[Reference, Found]]:
    if tag is not None:
        if len(found) != 1:
            raise ArchiveError(f"the archive has {len(found)} images, so one name is not enough for them")
        return [(tag, found[0])]
    try:
        named = [(Reference.parse(name), each) for each in found for name in each.names]
    except InvalidReferenceError as error:
        raise ArchiveError(f"the archive gives an image a name that is none: {error.message}") from None
    if any(not each.names for each in found):
        raise ArchiveError("an image of the archive has no name", hint="Give it one: cog load --tag NAME.")
    return named


def _of_layout(store: ImageStore, contents: Contents, architecture: str) -> list[Found]:
    index = _document(store, contents.need("index.json"), Index, what="the archive's index.json")
    found = []
    for entry in index.manifests:
        notes = entry.annotations or {}
        name = notes.get(_CONTAINERD_NAME) or notes.get(REF_NAME, "")
        # A lone tag is no name: whose tag, the layout does not say.
        names = (name,) if "/" in name or ":" in name else ()
        image, beside, of = _image(store, contents, entry, architecture)
        found.append(
            Found(
                names=names,
                descriptor=image,
                ref=notes.get(REF_NAME, ""),
                of_layout=True,
                beside=beside,
                index=of,
            )
        )
    return found


def _image(
    store: ImageStore, contents: Contents, entry: Descriptor, architecture: str
) -> tuple[Descriptor, tuple[Descriptor, ...], Descriptor | None]:
    """Return an image whose blobs are all here; of an index, the one for the architecture, with the weights beside it.

    The third is the index, if it was one.
    """
    beside: tuple[Descriptor, ...] = ()
    index: Descriptor | None = None
    for _ in range(2):
        data = store.read(_blob(contents, entry).digest)
        document = decode_any(data, entry.media_type, what=f"the manifest {entry.digest}")
        if isinstance(document, Manifest):
            for blob in [document.config, *document.layers]:
                _blob(contents, blob)
            kind = entry.media_type if entry.media_type in media.MANIFESTS else media.MANIFEST
            return Descriptor(media_type=kind, digest=entry.digest, size=len(data)), beside, index
        beside = tuple(each for each in document.manifests if is_entry(each))
        index = Descriptor(media_type=entry.media_type, digest=entry.digest, size=len(data))
        for each in beside:
            manifest = store.read(_blob(contents, each).digest)
            _blob(contents, config_of(manifest))
        fitting = [
            each
            for each in document.manifests
            if not is_entry(each)
            and each.platform is not None
            and (each.platform.os, each.platform.architecture) == ("linux", architecture)
        ]
        if not fitting:
            raise ArchiveError(f"the archive has no image for linux/{architecture}")
        entry = fitting[0]
    raise ArchiveError("the archive has an index of indexes")


def _blob(contents: Contents, wanted: Descriptor) -> ArchiveFile:
    found = contents.need(_path(wanted.digest))
    if found.size != wanted.size:
        raise ArchiveError(f"{wanted.digest} has {found.size} bytes, not {wanted.size} as is said of it")
    return found


def _path(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _of_docker(store: ImageStore, contents: Contents) -> list[Found]:
    listing = contents.need("manifest.json")
    try:
        images = msgspec.json.decode(store.read(listing.digest), type=list[_Saved])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ArchiveError(f"the archive's manifest.json is not valid: {error}") from None
    return [
        Found(names=tuple(each.tags or ()), descriptor=_saved(store, contents, each), of_layout=False)
        for each in images
    ]


def _saved(store: ImageStore, contents: Contents, saved: _Saved) -> Descriptor:
    own = contents.need(saved.config)
    config = _document(store, own, ImageConfig, what="the image's configuration")
    files = [contents.need(each) for each in saved.layers]
    if len(files) != len(config.rootfs.diff_ids):
        raise ArchiveError(f"an image has {len(files)} layers and {len(config.rootfs.diff_ids)} diffIDs")
    for layer, expected in zip(files, config.rootfs.diff_ids, strict=True):
        if layer.kind == media.LAYER and layer.digest != expected:
            raise ArchiveError(f"a layer has the digest {layer.digest}, not {expected} as its image says")
    layers = [Descriptor(media_type=each.kind, digest=each.digest, size=each.size) for each in files]
    manifest = Manifest(
        schema_version=2,
        media_type=media.MANIFEST,
        config=Descriptor(media_type=media.CONFIG, digest=own.digest, size=own.size),
        layers=layers,
    )
    descriptor, data = describe(manifest, media.MANIFEST)
    store.write(data)
    return descriptor


def _document(store: ImageStore, file: ArchiveFile, kind: type[Document], *, what: str) -> Document:
    if file.size > MAX_MANIFEST:
        raise ArchiveError(f"{what} has {file.size} bytes; the limit is {MAX_MANIFEST}")
    try:
        return decode(store.read(file.digest), kind, what=what)
    except OciError as error:
        raise ArchiveError(error.message) from None
