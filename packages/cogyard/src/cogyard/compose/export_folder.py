"""An account's export as a folder, which a second call finishes when a first one broke off.

Theory of operation: a file that says whose export it is lies in the folder until all is there. Bytes are named by what
they are and appear whole, so those that are there stay; rows are written anew, as of the later moment, and what only
the earlier one wanted is removed at the end.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cogyard.compose.backup import copy_verified
from cogyard.compose.datadir import DataDir
from cogyard.compose.export import Book, Part, Reading, belongings
from cogyard.compose.export_images import Bytes, Text
from cogyard.errors import CogyardError
from cogyard.store.export import account_id_of

#: Lies in the folder until the export is whole.
UNFINISHED = "unfinished.json"


class ExportError(CogyardError):
    """There is nothing to export, or nowhere to."""

    code = "export_failed"


@dataclass(kw_only=True, slots=True)
class Exported:
    """What there is: rows by kind, files and images; of how many files or layers the bytes are gone.

    `kept` of the files and layers were there from a call that broke off.
    """

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    missing: int = 0
    images: int | None = None
    kept: int = 0
    names: set[str] = field(default_factory=set)


def export(folder: DataDir, username: str, target: Path, *, images: bool = False) -> Exported:
    """Write all that is an account's to a new folder, as of one moment, or go on where that broke off. Blocks.

    The platform may run. With `images` the images of its models too, as an OCI image layout in `images`. Raises
    ExportError for an unknown account or a folder that has something else in it, OSError, and the store's errors.
    """
    account_id = account_id_of(folder.database, username)
    if account_id is None:
        raise ExportError(
            f"There is no account {username}.", hint="`cogyard account list` shows those that there are."
        )
    _claim(target, {"account": username, "images": images})
    done = Exported(images=0 if images else None)
    for part in belongings(folder, username, account_id, lambda kind: _book(target, kind), images=images):
        _put(part, target, done)
    _forget(target, done)
    (target / UNFINISHED).unlink()
    return done


def is_unfinished(target: Path) -> bool:
    """Say whether an export to this folder broke off."""
    return (target / UNFINISHED).is_file()


def _claim(target: Path, mine: dict[str, Any]) -> None:
    """Make the folder, or take one in which the same export broke off."""
    try:
        if is_unfinished(target):
            _take_over(target, mine)
        elif target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ExportError(f"{target} has something in it already.", hint="Name a new folder.")
        (target / "files").mkdir(mode=0o700, parents=True, exist_ok=True)
        target.chmod(0o700)
        _write(target / UNFINISHED, json.dumps(mine).encode())
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror}.") from error


def _take_over(target: Path, mine: dict[str, Any]) -> None:
    try:
        begun = json.loads((target / UNFINISHED).read_text("utf-8"))
    except ValueError:
        begun = mine  # Broken off while this very file was written: nothing else is there yet.
    if begun != mine:
        with_images = " with images" if begun.get("images") else ""
        raise ExportError(
            f"{target} holds an export of {begun.get('account')}{with_images} that broke off.",
            hint="Finish that one, or name a new folder.",
        )
    for book in target.glob("*.jsonl"):
        book.unlink()


def _put(part: Part, target: Path, done: Exported) -> None:
    match part:
        case Book():
            done.rows[part.kind] = part.rows
        case Text():
            done.names.add(part.name)
            _write(target / part.name, part.content)
            if part.name == "images/index.json":
                done.images = len(json.loads(part.content)["manifests"])
        case Bytes():
            done.names.add(part.name)
            there = (target / part.name).is_file()
            brought = there or copy_verified(part.source, target / part.name, part.digest)
            done.kept += there
            done.missing += not brought
            done.files += brought and part.name.startswith("files/")
        case Reading():
            pass


def _forget(target: Path, done: Exported) -> None:
    """Remove what a call that broke off has written of things that are gone since."""
    for folder in ("files", "images/blobs/sha256"):
        for path in (target / folder).glob("*"):
            if f"{folder}/{path.name}" not in done.names:
                path.unlink()


def _book(target: Path, kind: str) -> IO[bytes]:
    handle = os.open(target / f"{kind}.jsonl", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(handle, "w+b")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
