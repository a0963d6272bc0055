"""All that is one account's, in the order in which it is exported.

Theory of operation: `belongings` says what an export holds and in which order; whoever takes its parts puts them
somewhere: `compose.export_folder` into a folder, `compose.archives` into an answer. Rows come first and all at once, as
of one moment, into files of JSON lines, since nobody who is slow may hold the database up; bytes follow from where they
are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

import msgspec

from cogyard.compose.datadir import DataDir
from cogyard.compose.export_images import Bytes, Text, images_of
from cogyard.store.export import rows_of

#: Rows between two signs of life.
_ROWS_A_SIGN = 5_000


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
