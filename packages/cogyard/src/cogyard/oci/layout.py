"""The local image store: an OCI image layout folder, which skopeo, umoci and others read as it is.

    oci-layout   index.json (names)   blobs/sha256/<hex>   tmp/ (what is being written)   lock   working.lock

Blobs appear whole or not at all (written beside, then renamed); index.json is replaced under a lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform as machines
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from cogyard.oci import descriptor as media
from cogyard.oci import digest as digests
from cogyard.oci.config import ImageConfig
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import (
    BlobMissingError,
    InvalidDocumentError,
    StoreBusyError,
    StoreFullError,
    StoreUnusableError,
)
from cogyard.oci.manifest import MAX_MANIFEST, Index, Manifest, decode, decode_any, describe, encode
from cogyard.oci.naming import meant
from cogyard.oci.pending import PendingInFile
from cogyard.oci.reference import Reference

REF_NAME = "org.opencontainers.image.ref.name"
#: Marks an entry of index.json that has no name, but is about an image of the store.
SUBJECT = "run.cog.subject"
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
#: Repositories remembered for one blob: mounting needs one, and old ones go stale.
_MOST_ORIGINS = 8
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of the store: its name, manifest and configuration.

    `index` is what the name means where that is several images, one for each platform; this is one of them.
    """

    name: str
    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig
    index: Descriptor | None = None
    beside: tuple[Descriptor, ...] = ()
    """What stands in the index beside the images."""


class ImageStore:
    """Images on this machine, by name and by digest."""

    def __init__(self, root: Path) -> None:
        """Open the store at `root`, making it when it is not there."""
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._tmp = root / "tmp"
        with on_disk(root):
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._tmp.mkdir(exist_ok=True)
            if not (root / "oci-layout").exists():
                (root / "oci-layout").write_bytes(_LAYOUT)

    def path(self, digest: str) -> Path:
        """Return where the blob is, or would be."""
        return self._blobs / digests.hex_of(digest)

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here, whole."""
        try:
            return self.path(descriptor.digest).stat().st_size == descriptor.size
        except FileNotFoundError:
            return False

    def read(self, digest: str, limit: int = MAX_MANIFEST) -> bytes:
        """Return a small blob's bytes.

        Raises BlobMissingError; InvalidDocumentError past `limit` bytes.
        """
        try:
            with self.path(digest).open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            raise BlobMissingError(
                f"the image store lacks {digest}", hint="Build or pull the image again."
            ) from None
        if len(data) > limit:
            raise InvalidDocumentError(f"{digest} has more than {limit} bytes")
        return data

    def write(self, data: bytes) -> str:
        """Keep bytes; return their digest."""
        digest = digests.of(data)
        if not self.path(digest).exists():
            with self.writer() as blob:
                blob.file.write(data)
                blob.commit(digest)
        return digest

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """Give a file to write a blob into; nothing stays unless its `commit` was called."""
        path = self._tmp / os.urandom(8).hex()
        with on_disk(self.root):
            try:
                with path.open("xb") as file:
                    yield BlobWriter(self, path, file)
            finally:
                path.unlink(missing_ok=True)

    def tag(self, reference: Reference, descriptor: Descriptor) -> None:
        """Let a name mean this image from now on.

        What is attached to the image that it meant is forgotten, unless that has another name: nobody can ask for it.
        """
        name = reference.familiar
        entry = msgspec.structs.replace(descriptor, annotations={REF_NAME: name})
        with self._locked():
            names = self._names()
            kept = [each for each in names if (each.annotations or {}).get(REF_NAME) != name]
            before = [each for each in names if (each.annotations or {}).get(REF_NAME) == name]
            kept.append(entry)
            if any(each.digest != entry.digest for each in before):
                kept = self._without_attached(before, kept)
            kept.sort(key=lambda each: (each.annotations or {}).get(REF_NAME, ""))
            self._replace_index(kept)

    def untag(self, reference: Reference) -> bool:
        """Forget a name; return whether it was there. Its blobs stay until `prune`."""
        name = reference.familiar
        with self._locked():
            names = self._names()
            kept = [each for each in names if (each.annotations or {}).get(REF_NAME) != name]
            self._replace_index(kept)
        return len(kept) < len(names)

    def names(self) -> dict[str, Descriptor]:
        """Return every name and what it means."""
        found = {}
        for each in self._names():
            if (name := (each.annotations or {}).get(REF_NAME)) is not None:
                found[name] = each
        return found

    def image(self, reference: Reference) -> StoredImage:
        """Return one image by name, or by digest; of several platforms this machine's, else the first.

        Raises ImageNotFoundError, ImageAmbiguousError.
        """
        found = self.images(reference)
        own = _ARCHITECTURES.get(machines.machine().lower())
        return next((each for each in found if each.config.architecture == own), found[0])

    def images(self, reference: Reference) -> tuple[StoredImage, ...]:
        """Return what a name means: one image, or one for each platform.

        Raises ImageNotFoundError, ImageAmbiguousError.
        """
        name, entry = meant(self.names(), reference)
        what = f"the manifest of {name}"
        document = decode_any(self.read(entry.digest), entry.media_type, what=what)
        if isinstance(document, Manifest):
            return (self._stored(name, entry, document),)
        beside = tuple(each for each in document.manifests if not is_image(each))
        found = [
            msgspec.structs.replace(
                self._stored(name, each, decode(self.read(each.digest), Manifest, what=what)),
                index=entry,
                beside=beside,
            )
            for each in document.manifests
            if is_image(each)
        ]
        if not found:
            raise InvalidDocumentError(f"{what} is an index of no image")
        return tuple(found)

    def _stored(self, name: str, descriptor: Descriptor, manifest: Manifest) -> StoredImage:
        config = decode(self.read(manifest.config.digest), ImageConfig, what="the image's configuration")
        return StoredImage(name=name, descriptor=descriptor, manifest=manifest, config=config)

    def attach(self, subject: str, referrers: Iterable[Manifest]) -> None:
        """Keep manifests about the image `subject` beside it, in place of those that were there.

        Their blobs are written before. They go when the image goes.
        """
        entries = []
        for each in referrers:
            descriptor, data = describe(each, media.MANIFEST)
            self.write(data)
            notes = {SUBJECT: subject}
            entries.append(
                msgspec.structs.replace(descriptor, annotations=notes, artifact_type=each.artifact_type)
            )
        with self._locked():
            kept = [each for each in self._names() if (each.annotations or {}).get(SUBJECT) != subject]
            self._replace_index([*kept, *entries])

    def referrers(self, subject: str) -> tuple[tuple[Descriptor, Manifest], ...]:
        """Return the manifests that are attached to an image."""
        return tuple(
            (each, decode(self.read(each.digest), Manifest, what=each.digest))
            for each in self._names()
            if (each.annotations or {}).get(SUBJECT) == subject
        )

    def origins(self, digest: str) -> list[str]:
        """Return where the blob is known to be, as `HOST/repository`; the latest last."""
        try:
            return (self.root / "origins" / digests.hex_of(digest)).read_text("utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return []

    def add_origin(self, digest: str, name: str) -> None:
        """Remember that the repository `HOST/repository` has the blob."""
        before = self.origins(digest)
        if before[-1:] == [name]:
            return
        known = [each for each in before if each != name][-_MOST_ORIGINS + 1 :]
        path = self.root / "origins" / digests.hex_of(digest)
        with on_disk(self.root):
            path.parent.mkdir(exist_ok=True)
            part = self._tmp / os.urandom(8).hex()
            part.write_text("".join(f"{each}\n" for each in [*known, name]), "utf-8")
            part.replace(path)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Keep every blob where it is for the length of a block: one is found, and named only later."""
        with on_disk(self.root), (self.root / "working.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def pending(self, digest: str, name: str) -> PendingInFile:
        """Return what remembers the upload of a blob to the repository `HOST/repository`."""
        key = digests.hex_of(digests.of(f"{digest} {name}".encode()))
        return PendingInFile(self.root / "uploads" / key)

    def prune(self) -> int:
        """Remove blobs that no named image uses, and what ended commands left; return how many bytes came free.

        Raises StoreBusyError while another command is `working`.
        """
        with on_disk(self.root), (self.root / "working.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreBusyError(
                    "another command works with the images of this machine, so nothing was removed",
                    hint="Run `cog gc` when it has ended.",
                ) from None
            with self._locked():
                used: set[str] = set()
                names = self._names()
                for each in names:
                    if SUBJECT not in (each.annotations or {}):
                        self._add_used(each, used)
                kept = [each for each in names if (each.annotations or {}).get(SUBJECT, each.digest) in used]
                for each in kept:
                    self._add_used(each, used)
                if len(kept) < len(names):
                    self._replace_index(kept)
                freed = _remove(path for path in self._blobs.iterdir() if f"sha256:{path.name}" not in used)
                _remove(
                    path for path in (self.root / "origins").glob("*") if f"sha256:{path.name}" not in used
                )
                _remove((self.root / "uploads").glob("*"))
                return freed + _remove(path for path in self._tmp.iterdir() if path.is_file())

    def _without_attached(self, before: Iterable[Descriptor], kept: list[Descriptor]) -> list[Descriptor]:
        """Leave out what is attached to images that lost their last name: else the list grows with every edit."""
        gone = self._meant(before)
        gone -= self._meant(each for each in kept if REF_NAME in (each.annotations or {}))
        return [each for each in kept if (each.annotations or {}).get(SUBJECT) not in gone]

    def _meant(self, named: Iterable[Descriptor]) -> set[str]:
        """Return the digests of images, and of the images in indexes."""
        found: set[str] = set()
        for each in named:
            if each.media_type in media.INDEXES:
                self._add_used(each, found)
            found.add(each.digest)
        return found

    def _add_used(self, named: Descriptor, used: set[str]) -> None:
        """Add what an image or an index cannot do without; what cannot be read needs nothing."""
        if named.digest in used:
            return
        used.add(named.digest)
        if not self.has(named):
            return
        try:
            document = decode_any(self.read(named.digest), named.media_type, what=named.digest)
        except InvalidDocumentError:
            return
        if isinstance(document, Manifest):
            used.update(layer.digest for layer in [document.config, *document.layers])
        else:
            for each in document.manifests:
                self._add_used(each, used)

    def _names(self) -> list[Descriptor]:
        try:
            data = (self.root / "index.json").read_bytes()
        except FileNotFoundError:
            return []
        return decode(data, Index, what=str(self.root / "index.json")).manifests

    def _replace_index(self, entries: list[Descriptor]) -> None:
        data = encode(Index(schema_version=2, media_type=media.INDEX, manifests=entries))
        path = self._tmp / os.urandom(8).hex()
        with on_disk(self.root):
            path.write_bytes(data)
            path.replace(self.root / "index.json")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with on_disk(self.root), (self.root / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def is_image(entry: Descriptor) -> bool:
    """Say whether an entry of an index is something that runs: artifacts and attestations are on no platform."""
    unplaced = entry.platform is not None and entry.platform.os == "unknown"
    return entry.media_type in media.MANIFESTS and not entry.artifact_type and not unplaced


def _remove(paths: Iterable[Path]) -> int:
    freed = 0
    for path in paths:
        freed += path.stat().st_size
        path.unlink()
    return freed


class BlobWriter:
    """A blob being written: put bytes into `file`, then `commit` the digest they have."""

    def __init__(self, store: ImageStore, path: Path, file: BinaryIO) -> None:
        """Belong to `ImageStore.writer`."""
        self.file = file
        self._store = store
        self._path = path

    def commit(self, digest: str) -> None:
        """Let the blob appear under `digest`, which the caller has computed over the bytes."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self._path.replace(self._store.path(digest))


@contextmanager
def on_disk(root: Path) -> Iterator[None]:
    """Name what the disk refuses: no room, no permission, no such place.

    Raises StoreFullError, StoreUnusableError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFullError(
                f"no room left on the disk while working in {root}",
                hint="Make room (`cog gc`), or set COGYARD_CACHE_DIR to a folder on a larger disk.",
            ) from None
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EIO}:
            where = Path(error.filename or root)
            ours = where.is_relative_to(root) or root.is_relative_to(where)
            raise StoreUnusableError(
                f"{where} cannot be used: {error.strerror}",
                hint="COGYARD_CACHE_DIR names another folder for it." if ours else None,
            ) from None
        raise
