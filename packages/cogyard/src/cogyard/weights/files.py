"""The files of weights on this machine: each once, by its digest, and folders of hard links to them.

    files/<2 hex>/<62 hex>   one file, read-only      sets/<64 hex>/   the files of a set digest, with .cog/ready in it
    seen/<key>               what a source's file was, so that it is not read again      unfinished-…   being made

A set is keyed by the digest of its files, which were each checked when they came; so models that have the same weights
share a folder, and nobody can put something else under that name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cogyard.oci import digest as digests
from cogyard.oci.errors import InvalidDigestError
from cogyard.oci.layout import on_disk
from cogyard.weights.artifact import WeightFile, set_digest
from cogyard.weights.errors import ArtifactInvalidError, FilesMissingError, SourceError
from cogyard.weights.paths import STATE

_CHUNK = 1 << 20
READY = f"{STATE}/ready"


class WeightFiles:
    """The files under one folder; several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Return where the file of a digest is, or would be."""
        name = digests.hex_of(digest)
        return self.root / "files" / name[:2] / name[2:]

    def has(self, digest: str, size: int) -> bool:
        """Whether the file is here, whole."""
        try:
            return self.path(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def missing(self, files: Iterable[WeightFile]) -> tuple[WeightFile, ...]:
        """Return those that are not here."""
        return tuple(each for each in files if not self.has(each.digest, each.size))

    def add(
        self, chunks: Iterable[bytes], *, expected: str | None = None, size: int | None = None
    ) -> tuple[str, int]:
        """Keep a file, whole or not at all; return its digest and size.

        Raises ArtifactInvalidError when it is not what was `expected`; StoreFullError, StoreUnusableError.
        """
        digest, total = hashlib.sha256(), 0
        with self._making() as work, work.open("xb") as file:
            for chunk in chunks:
                total += len(chunk)
                if size is not None and total > size:
                    break
                digest.update(chunk)
                file.write(chunk)
            found = f"sha256:{digest.hexdigest()}"
            if (expected is not None and found != expected) or (size is not None and total != size):
                raise ArtifactInvalidError(
                    f"a file of weights is {found} with {total} bytes or more, not {expected} with {size}"
                )
            file.flush()
            os.fsync(file.fileno())
            place = self.path(found)
            if not self.has(found, total):
                place.parent.mkdir(parents=True, exist_ok=True)
                work.chmod(0o444)
                work.replace(place)
        return found, total

    def add_file(self, path: Path, shown: str) -> tuple[str, int]:
        """Keep a copy of a file of a source; one that has not changed since is not read again.

        Raises SourceError when it cannot be read or changes meanwhile, and the errors of `add`.
        """
        try:
            before = path.stat()
            seen = self.root / "seen" / _key(path, before)
            if (known := self._seen(seen, before.st_size)) is not None:
                return known, before.st_size
            with path.open("rb") as file:
                digest, size = self.add(iter(lambda: file.read(_CHUNK), b""))
            after = path.stat()
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise SourceError(f"{shown} cannot be read: {error.strerror}") from None
        if _key(path, before) != _key(path, after) or size != after.st_size:
            raise SourceError(f"{shown} changed while it was read", hint="Import again when it is complete.")
        with on_disk(self.root):
            seen.parent.mkdir(parents=True, exist_ok=True)
            part = seen.with_name(f"{seen.name}.{secrets.token_hex(4)}")
            part.write_text(digest)
            part.replace(seen)
        return digest, size

    def folder(self, files: Sequence[WeightFile]) -> Path:
        """Return the folder that holds exactly these files, and the sign that they are there; nothing is copied.

        Raises FilesMissingError naming what is not here, StoreFullError, StoreUnusableError.
        """
        final = self.root / "sets" / digests.hex_of(set_digest(files))
        if not final.is_dir():
            if lacking := self.missing(files):
                raise FilesMissingError(
                    f"{len(lacking)} of {len(files)} files are not here, {lacking[0].path[:100]!r} among them",
                    hint="`cog weights pull` fetches them.",
                )
            with self._making() as work:
                self._link(files, work)
                final.parent.mkdir(parents=True, exist_ok=True)
                try:
                    work.rename(final)
                except OSError:
                    if not final.is_dir():  # somebody else was first: then theirs is as good
                        raise
        os.utime(final)  # when it was last wanted
        return final

    def collect(self, keep: Iterable[str], *, older_than: float) -> int:
        """Remove sets last wanted longer than `older_than` seconds ago, but those of `keep`; return the bytes freed.

        Files that are in no set go with them.
        """
        before, freed = time.time() - older_than, 0
        kept = {digests.hex_of(each) for each in keep}
        # Removing a set changes the ctime of its files, so their age is looked at first.
        old = [each for each in self._listed("files/*/*") if _age(each) < before]
        for each in self._listed("sets/*"):
            if each.name not in kept and each.stat().st_mtime < before:
                remove(each)
        for each in old:
            found = each.stat()
            if found.st_nlink == 1:
                each.unlink()
                freed += found.st_size
        for each in self._listed("unfinished-*"):
            if each.stat().st_mtime < before:
                remove(each)
        return freed

    def _listed(self, pattern: str) -> list[Path]:
        return list(self.root.glob(pattern))

    def _link(self, files: Sequence[WeightFile], work: Path) -> None:
        work.mkdir()
        for each in files:
            place = work / each.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(self.path(each.digest))
        (work / STATE).mkdir()
        (work / READY).touch()
        for folder in {work, *(each for each in work.rglob("*") if each.is_dir())}:
            folder.chmod(0o755)

    @contextmanager
    def _making(self) -> Iterator[Path]:
        """Give a place to make something at; what is left there afterwards goes."""
        work = self.root / f"unfinished-{secrets.token_hex(8)}"
        with on_disk(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                yield work
            finally:
                if os.path.lexists(work):
                    remove(work)

    def _seen(self, path: Path, size: int) -> str | None:
        try:
            digest = digests.parse(path.read_text())
        except (OSError, ValueError, InvalidDigestError):
            return None
        return digest if self.has(digest, size) else None


def remove(place: Path) -> None:
    """Remove a file or a folder."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _age(path: Path) -> float:
    """Return when a file was last written, linked or unlinked."""
    found = path.stat()
    return max(found.st_mtime, found.st_ctime)


def _key(path: Path, found: os.stat_result) -> str:
    words = (path.resolve(), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return hashlib.sha256("\0".join(map(str, words)).encode("utf-8", "surrogateescape")).hexdigest()[:40]
