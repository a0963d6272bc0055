"""A copy of the database as it was at one moment, taken beside whoever writes to it; and what such a copy holds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cogyard.store.connection import APPLICATION_ID, connect
from cogyard.store.errors import CorruptDatabaseError, NotADatabaseError, translated

#: Which bytes the database speaks of, by the store that keeps them: the table, and what is asked of it.
_NEEDED = {
    "images": ("registry_blobs", "SELECT DISTINCT digest FROM registry_blobs"),
    "files": ("files", "SELECT DISTINCT 'sha256:' || sha256 FROM files"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a copy holds: the digests it needs, by store, how many rows there are, and which migrations it has had."""

    needed: Mapping[str, frozenset[str]]
    predictions: int
    accounts: int
    migrations: tuple[int, ...]


def snapshot(source: Path, target: Path) -> None:
    """Write what is committed in `source` now to the new file `target`, durably. Blocks.

    Whoever writes meanwhile goes on: the copy is read in one transaction. Raises the store's errors.
    """
    try:
        with closing(connect(source, read_only=True)) as reading:
            copy_of(reading, target)
    except sqlite3.Error as error:
        raise translated(error, source) from error


def copy_of(connection: sqlite3.Connection, target: Path) -> None:
    """Write what a connection sees to the new file `target`, durably; nothing is left there when it fails."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as writing:
            connection.backup(writing)
            # One file, with no log beside it, and readable by programs that only look.
            writing.execute("PRAGMA journal_mode = DELETE")
        with target.open("rb") as file:
            os.fsync(file.fileno())
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise translated(error, target) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def inspect(path: Path) -> Contents:
    """Check a copy from its first byte to its last and say what it holds. Raises CorruptDatabaseError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise NotADatabaseError(f"{path} is not a Cogyard database.")
            (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise CorruptDatabaseError(f"The database {path} is damaged: {verdict}.")
            # Of an early release, or of a first start that had no room to end, not every table is there.
            there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return Contents(
                needed={
                    store: frozenset(row[0] for row in db.execute(sql)) if table in there else frozenset()
                    for store, (table, sql) in _NEEDED.items()
                },
                predictions=_count(db, "predictions") if "predictions" in there else 0,
                accounts=_count(db, "accounts") if "accounts" in there else 0,
                migrations=tuple(row[0] for row in db.execute("SELECT number FROM migrations ORDER BY 1")),
            )
    except sqlite3.Error as error:
        raise translated(error, path) from error


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a name of ours
