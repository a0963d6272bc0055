"""Unpack a layer that a stranger made, without letting it write, read or fill anything but its own folder.

A layer is unpacked in one of two ways. As a *project*, files of the host's world: every link must lead to a place
inside. As a part of a *root*, which is seen only from inside of a sandbox: links may lead anywhere, since nothing
outside ever follows them; owners, modes and times are kept as far as they matter there, and a removed file becomes what
overlayfs takes for one.

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from cogyard.instances.errors import LayerTooLargeError, UnsafeLayerError
from cogyard.oci.forward import ForwardReader, ForwardTarInfo
from cogyard.oci.plain import BROKEN, open_plain

_CHUNK = 1 << 20
#: A full or broken disk is not the layer's fault.
_OURS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS})
#: How a layer says that a lower layer's file, or all that a folder held, is gone (OCI image layers).
_REMOVED, _REMOVED_ALL = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackLimits:
    """How large an unpacked layer may be: plain bytes (archive included) and entries."""

    max_bytes: int = 64 << 30
    max_entries: int = 500_000


@dataclass(frozen=True, kw_only=True, slots=True)
class AsRoot:
    """That a layer becomes a part of a root file system, and whose its files are (None: ours)."""

    owner: int | None = None


class UnpackStoppedError(Exception):
    """Nobody wants the layer any more."""


def unpack(
    archive: Path,
    target: Path,
    limits: UnpackLimits,
    root: AsRoot | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Unpack a tar, tar+gzip or tar+zstd file into an empty folder; return the plain bytes written.

    As files of a project, or, with `root`, as a part of a root file system.

    It ends soon after `stopped()` says so, with UnpackStoppedError. Raises UnsafeLayerError, naming the member, and
    OSError when the disk fails; what was written until then is the caller's to remove.
    """
    try:
        with open_plain(archive) as stream:
            return _Unpacking(target, limits, root, stopped).run(stream)
    except BROKEN as error:
        raise UnsafeLayerError(f"The layer is not a readable archive: {error}") from error


def _too_large(limit: int) -> LayerTooLargeError:
    return LayerTooLargeError(f"The layer unpacks to more than {limit} bytes.")


class _Watched:
    """A stream that is read as long as somebody wants it."""

    def __init__(self, stream: IO[bytes], stopped: Callable[[], bool]) -> None:
        self._stream = stream
        self._stopped = stopped

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        if self._stopped():
            raise UnpackStoppedError
        return self._stream.read(size)


class _Unpacking:
    """One layer on its way to disk."""

    def __init__(
        self, target: Path, limits: UnpackLimits, root: AsRoot | None, stopped: Callable[[], bool]
    ) -> None:
        self._target = target
        self._stopped = stopped
        self._limits = limits
        self._root = root
        self._times: dict[Path, float] = {}
        self._links: set[PurePosixPath] = set()
        self._files: set[PurePosixPath] = set()
        self._written = 0

    def run(self, stream: IO[bytes]) -> int:
        watched = cast("IO[bytes]", _Watched(stream, self._stopped))
        reader = ForwardReader(watched, self._limits.max_bytes, refuse=UnsafeLayerError, too_large=_too_large)
        guard = cast("IO[bytes]", reader)
        with tarfile.open(fileobj=guard, mode="r:", errorlevel=2, tarinfo=ForwardTarInfo) as archive:
            for count, member in enumerate(archive, start=1):
                if count > self._limits.max_entries:
                    raise UnsafeLayerError(f"The layer has more than {self._limits.max_entries} entries.")
                if self._written + member.size > self._limits.max_bytes:
                    # Said before a byte of it is written: what is announced may be all that the disk has.
                    raise _too_large(self._limits.max_bytes)
                self._member(archive, member)
                archive.members = []  # type: ignore[attr-defined] # tarfile keeps every member otherwise
        for folder, moment in reversed(self._times.items()):  # Last, as each entry changes its folder's time.
            _touch(folder, moment)
        return self._written

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = self._name(member.name, what=member.name)
        if not name.parts:
            return
        path = self._target / name
        removes = name.name.startswith(_REMOVED)
        if removes and self._root is None:
            raise UnsafeLayerError(
                f"{_shown(name)} removes a file of a lower layer, which this runtime cannot do."
            )
        try:
            if member.isdir():
                if name in self._links:  # What is done to the folder must not be done to what a link names.
                    path.unlink()
                    self._links.discard(name)
                self._folder(path)
                if self._root is not None:
                    path.chmod(member.mode & 0o777 | 0o700)
                    self._times[path] = member.mtime
                return
            self._folder(path.parent)
            if removes:
                self._remove(path)
                return
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                path.unlink()
                self._links.discard(name)
                self._files.discard(name)
            self._place(archive, member, name, path)
        except OSError as error:
            if isinstance(error, BROKEN) or error.errno in _OURS:
                raise
            raise UnsafeLayerError(f"{_shown(name)} could not be unpacked: {error.strerror}.") from error

    def _folder(self, path: Path) -> None:
        """Make a folder and those above it, all within the tree and none by way of a link."""
        if path.is_dir() or path == self._target:
            return
        self._folder(path.parent)
        path.mkdir(mode=0o755)
        self._own(path)

    def _own(self, path: Path) -> None:
        if self._root is not None and self._root.owner is not None:
            os.chown(path, self._root.owner, self._root.owner, follow_symlinks=False)

    def _remove(self, path: Path) -> None:
        """Leave the sign that a lower layer's file, or everything in this folder, is not there."""
        if path.name == _REMOVED_ALL:
            os.setxattr(path.parent, "user.overlay.opaque", b"y")
            return
        name = path.name.removeprefix(_REMOVED)
        if name in {"", ".", ".."}:
            raise UnsafeLayerError(f"{path.name!r:.100} removes a file that has no name.")
        gone = path.with_name(name)
        if not os.path.lexists(gone):
            os.mknod(gone, stat.S_IFCHR, 0)

    def _place(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: PurePosixPath, path: Path
    ) -> None:
        if member.issparse():
            raise UnsafeLayerError(f"{_shown(name)} is a sparse file.")
        if member.isreg():
            self._file(archive, member, name, path)
        elif member.issym():
            if self._root is None:
                self._inside(name.parent, member.linkname, name)
            path.symlink_to(member.linkname)
            self._own(path)
            self._links.add(name)
        elif member.islnk():
            source = self._name(member.linkname, what=member.name)
            if self._root is not None and source in self._links:
                path.symlink_to((self._target / source).readlink())
                self._own(path)
                self._links.add(name)
                return
            if source not in self._files:
                raise UnsafeLayerError(
                    f"{_shown(name)} is a link to {member.linkname!r:.100}, which is not a file."
                )
            path.hardlink_to(self._target / source)
            self._files.add(name)
        elif self._root is None:
            raise UnsafeLayerError(f"{_shown(name)} is a device or pipe, not a file.")
        # A root's devices are those that the sandbox makes.

    def _file(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: PurePosixPath, path: Path
    ) -> None:
        source = archive.extractfile(member)
        # Layers are shared by instances, so they are read-only; what an instance may change is copied for it.
        mode = 0o555 if member.mode & stat.S_IXUSR else 0o444
        if self._root is not None:  # Nobody but an overlay sees them; there a model may write over its copy.
            mode = member.mode & 0o777 | 0o600
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            left = member.size
            while left:
                data = source.read(min(_CHUNK, left)) if source else b""
                if not data:
                    raise UnsafeLayerError(f"The archive ends in the middle of {_shown(name)}.")
                file.write(data)
                left -= len(data)
            if self._root is not None:
                os.fchmod(file.fileno(), mode)
        if self._root is not None:
            self._own(path)
            _touch(
                path, member.mtime
            )  # Python takes compiled code for old when its source's time is another.
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


def _touch(path: Path, moment: float) -> None:
    seconds = min(max(moment, 0.0), float(1 << 33))
    os.utime(path, (seconds, seconds), follow_symlinks=False)


def _shown(name: PurePosixPath) -> str:
    return repr(str(name))[:120]
