"""All that is one account's, in the order in which it is exported, and an export as a folder.

Theory of operation: `belongings` says what an export holds and in which order; whoever takes its parts puts them
somewhere: `export` into a folder, `compose.archives` into an answer. Rows come first and all at once, as of one moment,
into files of JSON lines, since nobody who is slow may hold the database up; bytes follow from where they are kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from cogyard.compose.backup import copy_verified
from cogyard.compose.datadir import DataDir
from cogyard.compose.export_images import Bytes, Text, images_of
from cogyard.errors import CogyardError
from cogyard.store.export import account_id_of, rows_of

#: Rows between two signs of life.
_ROWS_A_SIGN = 5_000


class ExportError(CogyardError):
    """There is nothing to export, or nowhere to."""

    code = "export_failed"


@dataclass(frozen=True, slots=True)
class Reading:
    """A sign of life while rows are read: how many there are so far."""

    rows: int


@dataclass(frozen=True, slots=True)
class Book:
    """All rows of a kind, a line of JSON each; `file` is open, and read to its end by whoever moved it."""

    kind: str
    file: IO[bytes]
    rows: int


Part = Reading | Book | Text | Bytes
#: Opens the file of a kind of rows, empty, for writing and reading.
Opening = Callable[[str], IO[bytes]]


@dataclass(kw_only=True, slots=True)
class Exported:
    """What was written: rows by kind, files and images; and of how many files or layers the bytes are gone."""

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    missing: int = 0
    images: int | None = None


def belongings(
    folder: DataDir, username: str, account_id: int, opening: Opening, *, images: bool
) -> Iterator[Part]:
    """Yield the parts of an account's export: rows, then its files' bytes, then its images. Blocks.

    The books are closed when this ends, or is closed. Raises the store's errors.
    """
    encode = msgspec.json.Encoder().encode
    books: dict[str, IO[bytes]] = {}
    counts: dict[str, int] = {}
    with ExitStack() as stack:
        for number, (kind, row) in enumerate(rows_of(folder.database, account_id), 1):
            if kind not in books:
                books[kind] = stack.enter_context(opening(kind))
            books[kind].write(encode(row) + b"\n")
            counts[kind] = counts.get(kind, 0) + 1
            if number % _ROWS_A_SIGN == 0:
                yield Reading(number)
        for kind, book in books.items():
            book.seek(0)
            yield Book(kind, book, counts[kind])
        if "files" in books:
            books["files"].seek(0)
            yield from (_file(folder, json.loads(line)) for line in books["files"])
    if images:
        yield from images_of(folder, username)


def _file(folder: DataDir, row: dict[str, str]) -> Bytes:
    """Return a file's bytes, named by its id: what its owner called it may lead anywhere."""
    sha256 = row["sha256"]
    source = folder.files / "blobs" / "sha256" / sha256[:2] / sha256
    return Bytes(f"files/{row['id']}", source, f"sha256:{sha256}")


def export(folder: DataDir, username: str, target: Path, *, images: bool = False) -> Exported:
    """Write all that is an account's to a new folder, as of one moment; the platform may run. Blocks.

    With `images` the images of its models too, as an OCI image layout in `images`.

    Raises ExportError for an unknown account or a folder that has something in it, and the store's errors.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportError(f"{target} has something in it already.", hint="Name a new folder.")
    account_id = account_id_of(folder.database, username)
    if account_id is None:
        raise ExportError(
            f"There is no account {username}.", hint="`cogyard account list` shows those that there are."
        )
    (target / "files").mkdir(mode=0o700, parents=True)
    target.chmod(0o700)
    done = Exported(images=0 if images else None)
    for part in belongings(folder, username, account_id, lambda kind: _book(target, kind), images=images):
        _put(part, target, done)
    return done


def _put(part: Part, target: Path, done: Exported) -> None:
    match part:
        case Book():
            done.rows[part.kind] = part.rows
        case Text():
            _write(target / part.name, part.content)
            if part.name == "images/index.json":
                done.images = len(json.loads(part.content)["manifests"])
        case Bytes():
            brought = copy_verified(part.source, target / part.name, part.digest)
            done.missing += not brought
            done.files += brought and part.name.startswith("files/")
        case Reading():
            pass


def _book(target: Path, kind: str) -> IO[bytes]:
    handle = os.open(target / f"{kind}.jsonl", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(handle, "w+b")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
