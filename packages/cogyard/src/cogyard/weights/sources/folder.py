"""A folder of this machine, usually of the project."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cogyard.weights.errors import SourceError
from cogyard.weights.files import WeightFiles
from cogyard.weights.paths import path_problem
from cogyard.weights.sources.base import Listing, SourceFile
from cogyard.weights.wishes import FILE


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Files below a folder. Its own digest is all that names its moment."""

    folder: Path
    shown: str

    @classmethod
    def of(cls, uri: str, project: Path) -> FolderSource:
        """Return the source of an address in the normal form; relative ones are below the project."""
        return cls(place_of(uri, project), uri)

    def list(self, takes: Callable[[str], bool]) -> Listing:
        """Return every file below it that is taken; what the format has no room for is refused, not left out."""
        if not self.folder.is_dir():
            what = "is not a folder" if self.folder.exists() else "is not there"
            raise SourceError(
                f"the source {self.shown} {what}",
                hint="A path in `source` is of a folder with the weights in it.",
            )
        return Listing(files=tuple(self._walk(self.folder, "", takes)))

    def _walk(self, folder: Path, prefix: str, takes: Callable[[str], bool]) -> Iterator[SourceFile]:
        try:
            entries = sorted(os.scandir(folder), key=lambda each: each.name)
        except OSError as error:
            raise SourceError(f"{self.shown}/{prefix} cannot be read: {error.strerror}") from None
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), f"{path}/", takes)
            elif takes(path):
                yield self._file(entry, path)

    def _file(self, entry: os.DirEntry[str], path: str) -> SourceFile:
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            what = "a link" if stat.S_ISLNK(found.st_mode) else "a device or pipe"
            raise SourceError(
                f"{path!r} in {self.shown} is {what}; weights are files and folders only",
                hint="Put the file itself there, or leave it out: exclude: [...]",
            )
        if (problem := path_problem(path)) is not None:
            raise SourceError(f"{path!r:.120} in {self.shown} {problem}", hint="Rename it, or exclude it.")
        take = partial(_take, Path(entry.path), f"{self.shown}/{path}")
        return SourceFile(path=path, size=found.st_size, take=take)


def place_of(uri: str, project: Path) -> Path:
    """Return the folder that a `file://` address in the normal form means."""
    return project / uri.removeprefix(FILE)


def _take(path: Path, shown: str, files: WeightFiles) -> tuple[str, int]:
    return files.add_file(path, shown)
