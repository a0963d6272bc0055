"""Take images out of a tar: an OCI layout, or what `docker save` and `podman save` write.

Theory of operation: nothing is unpacked by name. Every file of the archive becomes a blob named by its digest, and the
names are only looked up in a table; so a name cannot lead anywhere, and a layout's blob that is not what its name says
is refused. An image gets its name when everything it needs is here.
"""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from dataclasses import dataclass, field
from typing import IO, cast

import msgspec

from cogyard.image.errors import ImageError
from cogyard.oci import descriptor as media
from cogyard.oci.config import ImageConfig
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import InvalidReferenceError, OciError
from cogyard.oci.forward import ForwardReader, ForwardTarInfo
from cogyard.oci.layout import REF_NAME, ImageStore
from cogyard.oci.manifest import MAX_MANIFEST, Document, Index, Manifest, decode, decode_any, describe
from cogyard.oci.plain import BROKEN, GZIP, TELLING, ZSTD, plain
from cogyard.oci.reference import Reference

MOST_MEMBERS = 10_000
MOST_BYTES = 1 << 40
"""Of a whole archive, uncompressed. The disk ends before, with an error of its own."""

_CONTAINERD_NAME = "io.containerd.image.name"
_CHUNK = 1 << 20
_UNREADABLE: tuple[type[Exception], ...] = (*BROKEN, UnicodeError)


class ArchiveError(ImageError):
    """The archive is not one of images, or not an honest one."""

    code = "archive_invalid"


class _Saved(msgspec.Struct, rename={"config": "Config", "layers": "Layers", "tags": "RepoTags"}):
    """One image of a docker archive."""

    config: str
    layers: list[str]
    tags: list[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    digest: str
    size: int
    kind: str
    """Its media type, if it is a layer."""


@dataclass(slots=True)
class _Contents:
    """The archive's files by name, and what its links mean."""

    files: dict[str, _File] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> _File | None:
        """Return a file by its name or a link's; docker writes a layer that is there twice as a link."""
        return self.files.get(self.links.get(name, name))

    def need(self, name: str) -> _File:
        """Return a file. Raises ArchiveError."""
        found = self.get(posixpath.normpath(name))
        if found is None:
            raise ArchiveError(f"the archive names {name[:100]!r}, which it does not hold")
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An image of an archive, all of it in the store. `ref` is what a layout calls it, which may be a lone tag."""

    names: tuple[str, ...]
    descriptor: Descriptor
    ref: str = ""
    of_layout: bool


def load(
    store: ImageStore, stream: IO[bytes], *, architecture: str, tag: Reference | None = None
) -> tuple[Reference, ...]:
    """Keep every image of a tar, compressed by gzip or zstd or not, under its own name, or the only one under `tag`.

    Of an index the image for linux on `architecture` is kept. Raises ArchiveError, and the store's errors; nothing is
    named then.
    """
    with store.working():
        named = _named(images_in(store, stream, architecture=architecture), tag)
        for reference, descriptor in named:
            store.tag(reference, descriptor)
    return tuple(reference for reference, _ in named)


def images_in(store: ImageStore, stream: IO[bytes], *, architecture: str) -> list[Found]:
    """Take every image of a tar into the store, without naming it; of an index the one for the architecture.

    Raises ArchiveError, and the store's errors.
    """
    contents = _read(store, stream)
    if contents.get("oci-layout") and contents.get("index.json"):
        return _of_layout(store, contents, architecture)
    if contents.get("manifest.json"):
        return _of_docker(store, contents)
    raise ArchiveError(
        "the archive holds no image: neither index.json nor manifest.json is in it",
        hint="`docker save`, `podman save` and `cog save` write what can be loaded.",
    )


def _named(found: list[Found], tag: Reference | None) -> list[tuple[Reference, Descriptor]]:
    if tag is not None:
        if len(found) != 1:
            raise ArchiveError(f"the archive has {len(found)} images, so one name is not enough for them")
        return [(tag, found[0].descriptor)]
    try:
        named = [(Reference.parse(name), each.descriptor) for each in found for name in each.names]
    except InvalidReferenceError as error:
        raise ArchiveError(f"the archive gives an image a name that is none: {error.message}") from None
    if any(not each.names for each in found):
        raise ArchiveError("an image of the archive has no name", hint="Give it one: cog load --tag NAME.")
    return named


def _read(store: ImageStore, stream: IO[bytes]) -> _Contents:
    contents = _Contents()
    try:
        reader = ForwardReader(plain(stream), MOST_BYTES, refuse=ArchiveError, too_large=_too_large)
        with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r:", tarinfo=ForwardTarInfo) as archive:
            for count, member in enumerate(archive, start=1):
                if count > MOST_MEMBERS:
                    raise ArchiveError(f"the archive has more than {MOST_MEMBERS} members")
                _take(store, archive, member, contents)
                archive.members = []  # type: ignore[attr-defined] # tarfile keeps every member otherwise
    except _UNREADABLE as error:
        raise ArchiveError(f"the archive cannot be read: {error}") from None
    return contents


def _too_large(limit: int) -> ArchiveError:
    return ArchiveError(f"the archive has more than {limit} bytes")


def _take(store: ImageStore, archive: tarfile.TarFile, member: tarfile.TarInfo, contents: _Contents) -> None:
    name = posixpath.normpath(member.name)
    if name.startswith(("/", "../")) or name == ".." or "\0" in name:
        raise ArchiveError(f"the archive holds {member.name[:100]!r}, which leads out of it")
    if member.isdir():
        return
    if member.issym() or member.islnk():
        base = posixpath.dirname(name) if member.issym() else ""
        target = posixpath.normpath(posixpath.join(base, member.linkname))
        if target.startswith(("/", "../")) or target == "..":
            raise ArchiveError(f"the link {name[:100]!r} leads out of the archive")
        contents.links[name] = target
        return
    source = archive.extractfile(member) if member.isreg() else None
    if source is None:
        raise ArchiveError(
            f"{name[:100]!r} is neither a file nor a folder; an archive of images has no others"
        )
    digest, first = hashlib.sha256(), b""
    with store.writer() as writer:
        left = member.size
        while left and (chunk := source.read(min(left, _CHUNK))):
            first = first or chunk[:TELLING]
            left -= len(chunk)
            digest.update(chunk)
            writer.file.write(chunk)
        if left:
            raise ArchiveError(f"the archive ends in the middle of {name[:100]!r}")
        found = f"sha256:{digest.hexdigest()}"
        if name.startswith("blobs/") and name != f"blobs/sha256/{found.removeprefix('sha256:')}":
            raise ArchiveError(f"{name[:100]!r} holds something else: its digest is {found}")
        writer.commit(found)
    contents.files[name] = _File(digest=found, size=member.size, kind=_kind(first))


def _kind(first: bytes) -> str:
    if first.startswith(GZIP):
        return media.LAYER_GZIP
    return media.LAYER_ZSTD if first.startswith(ZSTD) else media.LAYER


def _of_layout(store: ImageStore, contents: _Contents, architecture: str) -> list[Found]:
    index = _document(store, contents.need("index.json"), Index, what="the archive's index.json")
    found = []
    for entry in index.manifests:
        notes = entry.annotations or {}
        name = notes.get(_CONTAINERD_NAME) or notes.get(REF_NAME, "")
        # A lone tag is no name: whose tag, the layout does not say.
        names = (name,) if "/" in name or ":" in name else ()
        image = _image(store, contents, entry, architecture)
        found.append(Found(names=names, descriptor=image, ref=notes.get(REF_NAME, ""), of_layout=True))
    return found


def _image(store: ImageStore, contents: _Contents, entry: Descriptor, architecture: str) -> Descriptor:
    """Return an image whose blobs are all here; of an index, the one for the architecture."""
    for _ in range(2):
        data = store.read(_blob(contents, entry).digest)
        document = decode_any(data, entry.media_type, what=f"the manifest {entry.digest}")
        if isinstance(document, Manifest):
            for blob in [document.config, *document.layers]:
                _blob(contents, blob)
            kind = entry.media_type if entry.media_type in media.MANIFESTS else media.MANIFEST
            return Descriptor(media_type=kind, digest=entry.digest, size=len(data))
        fitting = [
            each
            for each in document.manifests
            if each.platform is not None
            and (each.platform.os, each.platform.architecture) == ("linux", architecture)
        ]
        if not fitting:
            raise ArchiveError(f"the archive has no image for linux/{architecture}")
        entry = fitting[0]
    raise ArchiveError("the archive has an index of indexes")


def _blob(contents: _Contents, wanted: Descriptor) -> _File:
    found = contents.need(f"blobs/sha256/{wanted.digest.removeprefix('sha256:')}")
    if found.size != wanted.size:
        raise ArchiveError(f"{wanted.digest} has {found.size} bytes, not {wanted.size} as is said of it")
    return found


def _of_docker(store: ImageStore, contents: _Contents) -> list[Found]:
    listing = contents.need("manifest.json")
    try:
        images = msgspec.json.decode(store.read(listing.digest), type=list[_Saved])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ArchiveError(f"the archive's manifest.json is not valid: {error}") from None
    return [
        Found(names=tuple(each.tags or ()), descriptor=_saved(store, contents, each), of_layout=False)
        for each in images
    ]


def _saved(store: ImageStore, contents: _Contents, saved: _Saved) -> Descriptor:
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


def _document(store: ImageStore, file: _File, kind: type[Document], *, what: str) -> Document:
    if file.size > MAX_MANIFEST:
        raise ArchiveError(f"{what} has {file.size} bytes; the limit is {MAX_MANIFEST}")
    try:
        return decode(store.read(file.digest), kind, what=what)
    except OciError as error:
        raise ArchiveError(error.message) from None
