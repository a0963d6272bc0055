"""What can go wrong with the state of the platform, for the operator who must act.

StoreError
├── NotADatabaseError      the file is something else
├── CorruptDatabaseError   the file was a database
├── DiskFullError
├── DatabaseBusyError      another process holds the write lock
├── DatabaseClosedError
└── MigrationError         the file and this release do not fit together
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from cogyard.errors import CogyardError

#: What is to be done about a damaged database.
RESTORE = "Stop the platform and put the last backup in its place: `cogyard restore BACKUP --replace`."


class StoreError(CogyardError):
    """The platform's state could not be read or written."""

    code = "store"
    http_status = 503


class NotADatabaseError(StoreError):
    """The file at the database's path is not a Cogyard database."""

    code = "store-not-a-database"


class CorruptDatabaseError(StoreError):
    """The database is damaged; nothing more is written to it."""

    code = "store-corrupt"


class DiskFullError(StoreError):
    """There is no room left for the database."""

    code = "store-disk-full"
    http_status = 507


class DatabaseBusyError(StoreError):
    """Another process has held the write lock for longer than we wait."""

    code = "store-busy"


class DatabaseClosedError(StoreError):
    """The database was closed while somebody still asked for something."""

    code = "store-closed"


class MigrationError(StoreError):
    """The database and this release do not fit together."""

    code = "store-migration"


_OF_THE_DISK = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
#: With less than this free, SQLite's own files do not fit.
_ROOM = 256 * 1024


def translated(error: sqlite3.Error, path: object) -> Exception:
    """Return our error for one of SQLite's, or the same error when it is no operator's matter."""
    # The low byte is the primary code; extended codes say more in the bits above it.
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary == sqlite3.SQLITE_NOTADB:
        return NotADatabaseError(
            f"{path} is not a Cogyard database.",
            # A database whose first page is lost looks like a stranger's file.
            hint=f"If a platform has run here, its database is damaged. {RESTORE} Else point --data-dir at another"
            " folder, or move this file away.",
        )
    if primary == sqlite3.SQLITE_CORRUPT:
        return CorruptDatabaseError(
            f"The database {path} is damaged: {error}.",
            hint=RESTORE,
        )
    # A file of SQLite's own (its log, its shared memory) that does not fit is an input or output error to it.
    if primary == sqlite3.SQLITE_FULL or (primary in _OF_THE_DISK and _is_full(path)):
        return DiskFullError(
            f"No room is left on the disk that holds {path}.", hint="Free some space; nothing was lost."
        )
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return DatabaseBusyError(
            f"Another process has kept {path} locked.",
            hint="Is a second platform running on the same data folder?",
        )
    if primary in {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
    }:
        return StoreError(
            f"The database {path} cannot be used: {error}.", hint="Check the folder, its owner and the disk."
        )
    return error


def _is_full(path: object) -> bool:
    try:
        return shutil.disk_usage(Path(str(path)).parent).free < _ROOM
    except OSError:
        return False
