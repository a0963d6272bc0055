"""Unpack a layer that a stranger made, without letting it write, read or fill anything but its own folder.

Theory of operation: the archive is read once, in order, through a guard that counts plain bytes and refuses a
single large read (tarfile takes a whole extended header into memory, whatever size it claims). Every member is
judged by its *name* before anything is made: relative, without `..`, not below a link. Links must resolve by
name to something inside the tree. Files are made with O_EXCL and O_NOFOLLOW, so that a name can't be redirected.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from isal import igzip, isal_zlib

from cogyard.instances.errors import LayerTooLargeError, UnsafeLayerError
from cogyard.oci.forward import ForwardReader

_CHUNK = 1 << 20
#: A full or broken disk is not the layer's fault.
_OURS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS})
_GZIP_MAGIC = b"\x1f\x8b"
_INFLATE_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment] # the stub says an instance


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackLimits:
    """How large an unpacked layer may be: plain bytes (archive included) and entries."""

    max_bytes: int = 64 << 30
    max_entries: int = 500_000


def unpack(archive: Path, target: Path, limits: UnpackLimits) -> int:
    """Unpack a tar or tar+gzip file into an empty folder; return the plain bytes written.

    Raises UnsafeLayerError, naming the member, and OSError when the disk fails; what was written until then is
    the caller's to remove.
    """
    try:
        with archive.open("rb") as raw:
            magic = raw.read(2)
            raw.seek(0)
            plain = _inflated(raw) if magic == _GZIP_MAGIC else raw
            return _Unpacking(target, limits).run(plain)
    except (tarfile.TarError, EOFError, igzip.BadGzipFile, zlib.error, _INFLATE_ERROR) as error:
        raise UnsafeLayerError(f"The layer is not a readable archive: {error}") from error


def _inflated(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", igzip.IGzipFile(fileobj=raw))  # type: ignore[no-untyped-call] # no stubs


def _too_large(limit: int) -> LayerTooLargeError:
    return LayerTooLargeError(f"The layer unpacks to more than {limit} bytes.")


class _Unpacking:
    """One layer on its way to disk."""

    def __init__(self, target: Path, limits: UnpackLimits) -> None:
        self._target = target
        self._limits = limits
        self._links: set[PurePosixPath] = set()
        self._files: set[PurePosixPath] = set()
        self._written = 0

    def run(self, stream: IO[bytes]) -> int:
        reader = ForwardReader(stream, self._limits.max_bytes, refuse=UnsafeLayerError, too_large=_too_large)
        guard = cast("IO[bytes]", reader)
        with tarfile.open(fileobj=guard, mode="r:", errorlevel=2) as archive:
            for count, member in enumerate(archive, start=1):
                if count > self._limits.max_entries:
                    raise UnsafeLayerError(f"The layer has more than {self._limits.max_entries} entries.")
                self._member(archive, member)
                archive.members = []  # type: ignore[attr-defined] # tarfile keeps every member otherwise
        return self._written

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = self._name(member.name, what=member.name)
        if not name.parts:
            return
        path = self._target / name
        if name.name.startswith(".wh."):
            raise UnsafeLayerError(
                f"{_shown(name)} removes a file of a lower layer, which this runtime cannot do."
            )
        try:
            if member.isdir():
                path.mkdir(mode=0o755, parents=True, exist_ok=True)
                return
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if path.is_symlink() or path.is_file():
                path.unlink()
                self._links.discard(name)
                self._files.discard(name)
            self._place(archive, member, name, path)
        except OSError as error:
            if isinstance(error, igzip.BadGzipFile) or error.errno in _OURS:
                raise
            raise UnsafeLayerError(f"{_shown(name)} could not be unpacked: {error.strerror}.") from error

    def _place(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: PurePosixPath, path: Path
    ) -> None:
        if member.issparse():
            raise UnsafeLayerError(f"{_shown(name)} is a sparse file.")
        if member.isreg():
            self._file(archive, member, name, path)
        elif member.issym():
            self._inside(name.parent, member.linkname, name)
            path.symlink_to(member.linkname)
            self._links.add(name)
        elif member.islnk():
            source = self._name(member.linkname, what=member.name)
            if source not in self._files:
                raise UnsafeLayerError(
                    f"{_shown(name)} is a link to {member.linkname!r:.100}, which is not a file."
                )
            path.hardlink_to(self._target / source)
            self._files.add(name)
        else:
            raise UnsafeLayerError(f"{_shown(name)} is a device or pipe, not a file.")

    def _file(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: PurePosixPath, path: Path
    ) -> None:
        source = archive.extractfile(member)
        # Layers are shared by instances, so they are read-only; what an instance may change is copied for it.
        mode = 0o555 if member.mode & stat.S_IXUSR else 0o444
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            left = member.size
            while left:
                data = source.read(min(_CHUNK, left)) if source else b""
                if not data:
                    raise UnsafeLayerError(f"The archive ends in the middle of {_shown(name)}.")
                file.write(data)
                left -= len(data)
        self._written += member.size
        self._files.add(name)

    def _name(self, text: str, *, what: str) -> PurePosixPath:
        """Judge a member's name, or a hard link's target, which is written the same way."""
        pure = PurePosixPath(text)
        if pure.is_absolute() or ".." in pure.parts or "\0" in text:
            raise UnsafeLayerError(f"{what!r:.100} leaves the image.")
        for parent in pure.parents:
            if parent in self._links:
                raise UnsafeLayerError(f"{what!r:.100} is below the link {_shown(parent)}.")
        return pure

    def _inside(self, folder: PurePosixPath, link: str, name: PurePosixPath) -> None:
        """Refuse a symbolic link whose text leads out of the tree, whatever else the tree holds."""
        if link.startswith("/"):
            raise UnsafeLayerError(f"{_shown(name)} is a link to the absolute path {link!r:.100}.")
        parts = PurePosixPath(link).parts
        climbs = sum(part == ".." for part in parts)
        if ".." in parts[climbs:]:
            # `a/../..` climbs from wherever the link `a` leads, which its text does not show.
            raise UnsafeLayerError(f"{_shown(name)} is a link that turns back on its way: {link!r:.100}.")
        if climbs > max(len(folder.parts) - 1, 0):
            # The first folder is the image's `/src`; a link must not leave that either.
            raise UnsafeLayerError(f"{_shown(name)} is a link out of the project: {link!r:.100}.")


def _shown(name: PurePosixPath) -> str:
    return repr(str(name))[:120]
