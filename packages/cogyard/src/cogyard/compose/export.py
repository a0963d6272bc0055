"""An account's belongings as a folder: a file of JSON lines for each kind of thing, and the bytes of its files."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cogyard.compose.backup import copy_verified
from cogyard.compose.datadir import DataDir
from cogyard.compose.export_images import export_images
from cogyard.errors import CogyardError
from cogyard.store.export import account_id_of, rows_of
from cogyard.store.snapshot import snapshot


class ExportError(CogyardError):
    """There is nothing to export, or nowhere to."""

    code = "export_failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What was written: rows by kind, files and images; and of how many files or layers the bytes are gone."""

    rows: Mapping[str, int]
    files: int
    missing: int
    images: int | None = None


def export(folder: DataDir, username: str, target: Path, *, images: bool = False) -> Exported:
    """Write all that is an account's to a new folder, as of one moment; the platform may run. Blocks.

    With `images` the images of its models too, as an OCI image layout in `images`.

    Raises ExportError for an unknown account or a folder that has something in it, and the store's errors.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportError(f"{target} has something in it already.", hint="Name a new folder.")
    with tempfile.TemporaryDirectory(dir=folder.root, prefix="export-") as scratch, ExitStack() as stack:
        copy = Path(scratch) / "cogyard.db"
        snapshot(folder.database, copy)
        account_id = account_id_of(copy, username)
        if account_id is None:
            raise ExportError(
                f"There is no account {username}.", hint="`cogyard account list` shows those that there are."
            )
        (target / "files").mkdir(mode=0o700, parents=True)
        target.chmod(0o700)
        books: dict[str, IO[str]] = {}
        rows, files = Counter[str](), Counter[bool]()
        for kind, row in rows_of(copy, account_id):
            if kind not in books:
                handle = os.open(target / f"{kind}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                books[kind] = stack.enter_context(os.fdopen(handle, "w", encoding="utf-8"))
            books[kind].write(json.dumps(row, ensure_ascii=False) + "\n")
            rows[kind] += 1
            if kind == "files":
                files[_bring(folder, target, str(row["id"]), str(row["sha256"]))] += 1
        brought = export_images(folder, copy, username, target / "images") if images else None
    return Exported(
        rows=rows,
        files=files[True],
        missing=files[False] + (0 if brought is None else brought.missing),
        images=None if brought is None else brought.images,
    )


def _bring(folder: DataDir, target: Path, file_id: str, sha256: str) -> bool:
    """Copy a file's bytes, named by its id: what its owner called it may lead anywhere."""
    source = folder.files / "blobs" / "sha256" / sha256[:2] / sha256
    return copy_verified(source, target / "files" / file_id, f"sha256:{sha256}")
