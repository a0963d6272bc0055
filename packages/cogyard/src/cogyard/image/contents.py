"""The files of an archive of images: each in the store under its digest, and known by the name it had."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from dataclasses import dataclass, field
from typing import IO, cast

from cogyard.image.errors import ImageError
from cogyard.oci import descriptor as media
from cogyard.oci.forward import ForwardReader, ForwardTarInfo
from cogyard.oci.layout import ImageStore
from cogyard.oci.plain import BROKEN, GZIP, TELLING, ZSTD, plain

MOST_MEMBERS = 10_000
MOST_BYTES = 1 << 40
"""Of a whole archive, uncompressed. The disk ends before, with an error of its own."""

_CHUNK = 1 << 20
_UNREADABLE: tuple[type[Exception], ...] = (*BROKEN, UnicodeError)


class ArchiveError(ImageError):
    """The archive is not one of images, or not an honest one."""

    code = "archive_invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveFile:
    """One file of the archive."""

    digest: str
    size: int
    kind: str
    """Its media type, if it is a layer."""
    new: bool
    """Whether the store did not have it before."""


@dataclass(slots=True)
class Contents:
    """The archive's files by name, and what its links mean."""

    files: dict[str, ArchiveFile] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> ArchiveFile | None:
        """Return a file by its name or a link's; docker writes a layer that is there twice as a link."""
        return self.files.get(self.links.get(name, name))

    def need(self, name: str) -> ArchiveFile:
        """Return a file. Raises ArchiveError."""
        found = self.get(posixpath.normpath(name))
        if found is None:
            raise ArchiveError(f"the archive names {name[:100]!r}, which it does not hold")
        return found


def read(store: ImageStore, stream: IO[bytes]) -> Contents:
    """Take every file of a tar into the store. Raises ArchiveError, and the store's errors."""
    contents = Contents()
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


def _take(store: ImageStore, archive: tarfile.TarFile, member: tarfile.TarInfo, contents: Contents) -> None:
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
        new = not store.path(found).exists()
        writer.commit(found)
    contents.files[name] = ArchiveFile(digest=found, size=member.size, kind=_kind(first), new=new)


def _kind(first: bytes) -> str:
    if first.startswith(GZIP):
        return media.LAYER_GZIP
    return media.LAYER_ZSTD if first.startswith(ZSTD) else media.LAYER
