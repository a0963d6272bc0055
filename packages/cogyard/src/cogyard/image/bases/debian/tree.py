"""Files of several packages gathered into one tree, and written as a layer in the order of their names."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from cogyard.image.bases.debian.deb import MERGED, Deb, Entry
from cogyard.image.errors import HostilePackageError
from cogyard.oci.layer import LayerWriter

#: Documentation that a container does not read; copyright files stay, as their licences ask.
_LEFT_OUT = re.compile(
    r"usr/share/(?:man|info|lintian|locale|bug|doc-base|linda|groff)/.+|usr/share/doc/[^/]+/(?!copyright\Z).+"
)
_CHUNK = 1 << 20


def left_out(path: str) -> bool:
    """Say whether a file of a package is left out of every image."""
    return _LEFT_OUT.match(path) is not None


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    mode: int
    target: str = ""
    offset: int = 0
    size: int = 0
    owner: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpacked:
    """What one package put into the tree: `paths` are without those that are left out."""

    name: str
    records: dict[str, bytes] = field(repr=False)
    paths: tuple[str, ...] = field(repr=False)


class Tree:
    """A root folder that exists only as a list and a spool file; use as a context manager."""

    def __init__(self) -> None:
        """Begin empty."""
        self._nodes: dict[str, _Node] = {}
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spool.close()

    def __contains__(self, path: str) -> bool:
        return path in self._nodes

    def merge_links(self) -> None:
        """Make /bin, /lib and so on links into /usr, as every Debian since 12 has them."""
        for name in (*MERGED[:2], "lib", "lib64"):
            self.folder(f"usr/{name}")
            self.link(name, f"usr/{name}")

    def unpack(self, deb: Deb, name: str) -> Unpacked:
        """Take in a package.

        Raises HostilePackageError when it replaces another package's file.
        """
        paths = []
        for entry in deb.entries():
            if not left_out(entry.path):
                paths.append(entry.path)
                self._take(deb, entry, name)
        return Unpacked(name=name, records=deb.records, paths=tuple(paths))

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Add a folder, and those above it."""
        self._parents(path)
        self._nodes.setdefault(path, _Node("folder", mode))

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Add a file of our own, in place of what is there."""
        self._parents(path)
        offset = self._spool.seek(0, 2)
        self._spool.write(data)
        self._nodes[path] = _Node("file", mode, offset=offset, size=len(data))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link, in place of what is there."""
        self._parents(path)
        self._nodes[path] = _Node("link", 0o777, target)

    def read(self, path: str) -> bytes:
        """Return a file's content, following no links."""
        node = self._nodes[path]
        self._spool.seek(node.offset)
        return self._spool.read(node.size)

    def matching(self, pattern: str) -> list[str]:
        """Return the paths of files that match a regular expression, in order."""
        expression = re.compile(pattern)
        return sorted(
            path for path, node in self._nodes.items() if node.kind == "file" and expression.fullmatch(path)
        )

    def remove(self, path: str) -> None:
        """Leave out one file."""
        del self._nodes[path]

    def write(self, layer: LayerWriter) -> None:
        """Write everything, in the order of the names; second names come right after all files."""
        for path in sorted(self._nodes):
            node = self._nodes[path]
            if node.kind == "folder":
                layer.directory(path, node.mode)
            elif node.kind == "link":
                layer.symlink(path, node.target)
            elif node.kind == "file":
                layer.stream(path, self._chunks(node), node.size, node.mode)
        for path in sorted(self._nodes):
            if (node := self._nodes[path]).kind == "hard":
                layer.hardlink(path, node.target, node.mode)

    def _chunks(self, node: _Node) -> Iterator[bytes]:
        self._spool.seek(node.offset)
        left = node.size
        while left:
            chunk = self._spool.read(min(left, _CHUNK))
            left -= len(chunk)
            yield chunk

    def _take(self, deb: Deb, entry: Entry, owner: str) -> None:
        there = self._nodes.get(entry.path)
        if there is not None and there.kind == "folder" and entry.kind == "folder":
            return
        if there is not None and {there.kind, entry.kind} == {"folder", "link"}:
            return  # dpkg follows a link where a package has a folder, and leaves a folder where it has a link
        if there is not None and there.owner and there.kind != "folder":
            raise HostilePackageError(f"{owner} and {there.owner} both install /{entry.path}")
        self._parents(entry.path)
        if entry.kind == "file":
            offset = self._spool.seek(0, 2)
            with deb.read(entry) as source:
                while chunk := source.read(_CHUNK):
                    self._spool.write(chunk)
            self._nodes[entry.path] = _Node(
                "file", entry.mode, offset=offset, size=self._spool.tell() - offset, owner=owner
            )
        else:
            self._nodes[entry.path] = _Node(entry.kind, entry.mode, entry.target, owner=owner)

    def _parents(self, path: str) -> None:
        parts = path.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            self._nodes.setdefault("/".join(parts[:count]), _Node("folder", 0o755))
