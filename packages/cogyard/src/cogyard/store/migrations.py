"""Bring a database's schema up to this release, one numbered file at a time, each whole or not at all."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from cogyard.store.connection import APPLICATION_ID
from cogyard.store.errors import MigrationError, NotADatabaseError

_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")

_LEDGER = """
CREATE TABLE IF NOT EXISTS migrations (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """One step of the schema's history; never edited once released."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The checksum that is kept, so that an edited file is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def released() -> tuple[Migration, ...]:
    """Read the migrations of this release, in order. Raises MigrationError when two share a number."""
    found: dict[int, Migration] = {}
    for entry in (files("cogyard.store") / "migrations").iterdir():
        match = _NAME.match(entry.name)
        if match is None:
            continue
        number = int(match[1])
        if number in found:
            raise MigrationError(
                f"Two migrations are numbered {number:04}: {found[number].name} and {match[2]}."
            )
        found[number] = Migration(number=number, name=match[2], sql=entry.read_text(encoding="utf-8"))
    return tuple(found[number] for number in sorted(found))


def statements(sql: str) -> Iterator[str]:
    """Split a script where SQLite itself sees a statement end (triggers hold semicolons)."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if any(line.strip() and not line.lstrip().startswith("--") for line in pending.splitlines()):
        raise MigrationError("A migration ends in the middle of a statement.")


Prepare = Callable[[sqlite3.Connection, tuple[Migration, ...]], None]


def migrate(
    connection: sqlite3.Connection,
    migrations: tuple[Migration, ...],
    path: object,
    *,
    prepare: Prepare = lambda _connection, _missing: None,
) -> tuple[Migration, ...]:
    """Apply what is missing and return what was applied.

    `prepare` is called before anything is applied to a database that holds something; what it raises stops it all.
    Raises NotADatabaseError for another program's file and MigrationError for a newer or altered history.
    """
    _claim_file(connection, path)
    missing, is_new = _missing(connection, migrations, path)
    if missing and not is_new:
        prepare(connection, missing)
    for migration in missing:
        _apply(connection, migration, path)
    return missing


def pending(
    connection: sqlite3.Connection, migrations: tuple[Migration, ...], path: object
) -> tuple[Migration, ...]:
    """Return what `migrate` would apply; raise what it would raise."""
    _claim_file(connection, path)
    return _missing(connection, migrations, path)[0]


def _missing(
    connection: sqlite3.Connection, migrations: tuple[Migration, ...], path: object
) -> tuple[tuple[Migration, ...], bool]:
    """Return what was not applied yet, and whether nothing ever was."""
    connection.execute(_LEDGER)
    known = {migration.number: migration for migration in migrations}
    applied = {
        row[0]: (row[1], row[2]) for row in connection.execute("SELECT number, name, sha256 FROM migrations")
    }
    for number, (name, sha256) in sorted(applied.items()):
        if number not in known:
            raise MigrationError(
                f"{path} was written by a newer release: it has migration {number:04}_{name}, unknown here.",
                hint="Start the newer release again, or restore the backup taken before the upgrade.",
            )
        if known[number].sha256 != sha256:
            raise MigrationError(
                f"Migration {number:04}_{name} is not the one that {path} was made with.",
                hint="A released migration is never edited: install the release unaltered.",
            )
    return tuple(migration for migration in migrations if migration.number not in applied), not applied


def _claim_file(connection: sqlite3.Connection, path: object) -> None:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner == APPLICATION_ID:
        return
    if owner != 0 or tables:
        raise NotADatabaseError(
            f"{path} is another program's database.",
            hint="Point --data-dir at another folder, or move this file away.",
        )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _apply(connection: sqlite3.Connection, migration: Migration, path: object) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements(migration.sql):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO migrations VALUES (?, ?, ?, strftime('%Y-%m-%dT%H:%M:%fZ'))",
            (migration.number, migration.name, migration.sha256),
        )
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR:
            raise MigrationError(
                f"Migration {migration.number:04}_{migration.name} cannot be applied to {path}: {error}."
                " It has changed nothing.",
                hint="Restore the copy that was made before the upgrade and start the older release; please report it.",
            ) from error
        raise
