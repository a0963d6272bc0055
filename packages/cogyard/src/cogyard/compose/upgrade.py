"""Bring a platform's database up to this release, never without a copy of what it was."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cogyard.compose.datadir import DataDir, PlatformRunningError, is_held, read_holder
from cogyard.store.connection import connect
from cogyard.store.database import Database
from cogyard.store.errors import RESTORE, CorruptDatabaseError, DiskFullError, translated
from cogyard.store.migrations import Migration, Prepare, pending, released
from cogyard.store.snapshot import copy_of

_log = logging.getLogger("cogyard.platform")

#: Copies made before upgrades, the newest; older ones are removed once a new one is there.
KEPT = 3


def open_database(folder: DataDir) -> Database:
    """Open the database of a folder that we hold; what must be migrated is copied before."""
    _refuse_loss(folder)
    return Database.open(folder.database, prepare=partial(_keep_copy, folder))


def open_beside(folder: DataDir) -> Database:
    """Open the database of a folder on which a platform may be running.

    Raises PlatformRunningError when it would have to be migrated under a platform of an older release.
    """
    prepare: Prepare = partial(_refuse, folder) if is_held(folder) else partial(_keep_copy, folder)
    return Database.open(folder.database, prepare=prepare)


def missing(folder: DataDir) -> tuple[Migration, ...]:
    """Return the migrations that the database has not had. Raises the store's errors."""
    try:
        with closing(connect(folder.database)) as connection:
            return pending(connection, released(), folder.database)
    except sqlite3.Error as error:
        raise translated(error, folder.database) from error


def copies(folder: DataDir) -> list[Path]:
    """Return the copies made before upgrades, oldest first."""
    return sorted(folder.upgrades.glob("*.db"))


def _keep_copy(folder: DataDir, connection: sqlite3.Connection, missing: tuple[Migration, ...]) -> None:
    folder.upgrades.mkdir(mode=0o700, exist_ok=True)
    now = datetime.now(UTC)
    copy = folder.upgrades / f"{now:%Y%m%dT%H%M%S%f}-before-{missing[0].number:04}.db"
    try:
        copy_of(connection, copy)
    except DiskFullError as error:
        size = folder.database.stat().st_size
        raise DiskFullError(
            f"There is no room for the copy of the database ({size} bytes) that is made before it is upgraded.",
            hint=f"Free some space at {folder.root}; nothing was changed.",
        ) from error
    for old in copies(folder)[:-KEPT]:
        old.unlink()
    names = ", ".join(f"{one.number:04}_{one.name}" for one in missing)
    _log.info("database_upgrading", extra={"copy": str(copy), "migrations": names})


def _refuse_loss(folder: DataDir) -> None:
    """Refuse to begin anew where a platform was: its database is gone, or nothing is left in it."""
    # The secret is made after the database, so a first start that was killed in between is not meant.
    there = folder.database.stat().st_size > 0 if folder.database.is_file() else False
    if there or not folder.secret.is_file():
        return
    raise CorruptDatabaseError(
        f"The database {folder.database} is {'empty' if folder.database.is_file() else 'gone'}, though a platform "
        f"has run on {folder.root}.",
        hint=f"{RESTORE} To begin anew without what was in it, name another folder with --data-dir.",
    )


def _refuse(folder: DataDir, _connection: sqlite3.Connection, _missing: tuple[Migration, ...]) -> None:
    raise PlatformRunningError(
        f"The platform on {folder.root} (process {read_holder(folder).get('pid', 'unknown')}) runs an older "
        "release than this command, which would have to upgrade its database under it.",
        hint="Restart the platform with this release first.",
    )
