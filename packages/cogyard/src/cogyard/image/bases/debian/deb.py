"""One Debian package file, opened: its control records and the files it installs."""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from debian.arfile import ArError
from debian.debfile import DebFile, DebPart

from cogyard.image.errors import HostilePackageError
from cogyard.oci.plain import BROKEN, plain

#: Top-level folders that are links into /usr on a merged system.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32")
_UNREADABLE: tuple[type[Exception], ...] = (*BROKEN, ArError, lzma.LZMAError, KeyError, OSError, UnicodeError)
#: More than any member of a package's control archive has.
_MAX_CONTROL = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing a package installs. `path` has no leading slash, and lies under usr/ where that is merged."""

    path: str
    kind: str
    """`file`, `folder`, `link` (symbolic) or `hard` (a second name)."""
    mode: int
    size: int = 0
    target: str = ""
    member: tarfile.TarInfo | None = None


class Deb:
    """An open package: `control` and `records` are read, `entries` and `read` go through its data."""

    def __init__(self, name: str, file: DebFile) -> None:
        """Belong to `open_deb`."""
        self._name = name
        self._data = _part(file, "data.tar", file.data)
        self.records = dict(_records(name, _part(file, "control.tar", file.control)))

    @property
    def control(self) -> str:
        """The control stanza."""
        return self.records["control"].decode("utf-8", "replace")

    def entries(self) -> Iterator[Entry]:
        """Yield what the package installs, in its own order.

        Raises HostilePackageError for a path that leaves the root, or a device.
        """
        for member in self._data:
            path = clean(member.name, self._name)
            if not path or (path in MERGED and member.issym()):
                continue  # since Debian 13 base-files has the links of a merged /usr itself
            path = merge(path)
            mode = member.mode & 0o1777  # set-user-id and set-group-id have no use in a container
            if member.isdir():
                yield Entry(path=path, kind="folder", mode=mode)
            elif member.isreg():
                yield Entry(path=path, kind="file", mode=mode, size=member.size, member=member)
            elif member.issym():
                yield Entry(path=path, kind="link", mode=0o777, target=member.linkname)
            elif member.islnk():
                target = merge(clean(member.linkname, self._name))
                yield Entry(path=path, kind="hard", mode=mode, target=target)
            else:
                raise HostilePackageError(f"{self._name} installs a device, {path!r}")

    def read(self, entry: Entry) -> IO[bytes]:
        """Open a file's content; only while going through `entries`, in order."""
        file = self._data.extractfile(entry.member) if entry.member is not None else None
        if file is None:
            raise HostilePackageError(f"{self._name} has no content for {entry.path!r}")
        return file


@contextmanager
def open_deb(path: Path, name: str) -> Iterator[Deb]:
    """Open a package file; `name` is what errors call it.

    Raises HostilePackageError when it is not a Debian package.
    """
    try:
        with path.open("rb") as file, DebFile(fileobj=file) as deb:
            yield Deb(name, deb)
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's word, not the package's; python-debian raises OSError without a number
        raise HostilePackageError(f"{name} is not a Debian package: {error}") from None


def _part(file: DebFile, name: str, part: DebPart) -> tarfile.TarFile:
    """Return one of a package's two tars, to be gone through once. Ubuntu's are compressed with zstd."""
    if f"{name}.zst" not in file.getnames():
        return part.tgz()
    member = cast("IO[bytes]", file.getmember(f"{name}.zst"))
    return tarfile.open(fileobj=plain(member), mode="r|")


def clean(path: str, package: str) -> str:
    """Return a member's path without `./`; empty for the root itself.

    Raises HostilePackageError for an absolute path or one with `..`.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise HostilePackageError(f"{package} has a path that leaves its folder: {path!r}")
    return "/".join(parts)


def merge(path: str) -> str:
    """Return the path on a system whose /bin, /lib and so on are links into /usr."""
    first = path.partition("/")[0]
    return f"usr/{path}" if first in MERGED else path


def _records(name: str, control: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in control:
        path = clean(member.name, name)
        if not path or not member.isreg():
            continue
        if "/" in path or member.size > _MAX_CONTROL:
            raise HostilePackageError(f"{name} has a control record that cannot be: {path!r}")
        file = control.extractfile(member)
        if file is not None:
            yield path, file.read()
