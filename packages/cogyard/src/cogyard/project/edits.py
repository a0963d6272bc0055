"""Small edits of a text file: everything that is not named stays as it is, to the byte."""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Put `text` in the place of the characters from `start` (inclusive) to `end` (exclusive), where `old` stands."""

    path: Path
    start: int
    end: int
    old: str
    text: str


def apply(edits: Sequence[Edit]) -> list[Edit]:
    """Apply edits to their files and return those that were applied.

    Left out are edits of a place where something else stands by now, edits that overlap an earlier one, and files that
    are not UTF-8. A file is replaced whole or not at all. Raises OSError.
    """
    applied: list[Edit] = []
    for path in dict.fromkeys(edit.path for edit in edits):
        own = sorted(
            dict.fromkeys(edit for edit in edits if edit.path == path),
            key=lambda edit: (edit.start, edit.end),
        )
        applied += _apply(path, own)
    return applied


def _apply(path: Path, edits: Sequence[Edit]) -> list[Edit]:
    data = path.read_bytes()
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        text = data.removeprefix(mark).decode()
    except UnicodeDecodeError:
        return []
    kept: list[Edit] = []
    for edit in edits:
        if text[edit.start : edit.end] == edit.old and (not kept or edit.start >= kept[-1].end):
            kept.append(edit)
    for edit in reversed(kept):
        text = text[: edit.start] + edit.text + text[edit.end :]
    if kept:
        _replace(path, mark + text.encode())
    return kept


def _replace(path: Path, data: bytes) -> None:
    real = path.resolve()  # a link stays one
    descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.chmod(real.stat().st_mode & 0o7777)
        temporary.replace(real)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
