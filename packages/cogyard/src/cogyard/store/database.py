"""The one door to the SQLite file: `await db.read(fn)` and `await db.write(fn)`."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar, cast

from cogyard.store.connection import connect
from cogyard.store.errors import RESTORE, CorruptDatabaseError, DatabaseClosedError, translated
from cogyard.store.lanes import Lane, ReadLane, WriteLane
from cogyard.store.migrations import Migration, Prepare, migrate, released

T = TypeVar("T")

READERS = 3
# Up to this size the whole file is checked when it is opened (about 0.2 s); `check()` does it at any size.
QUICK_CHECK_BYTES = 64 * 1024 * 1024


class Database:
    """A SQLite file with one writer that shares commits, and a few readers.

    `fn` gets a connection in a transaction: it must not begin, commit or roll back, must not wait for anything, and
    must not keep the connection. What a write returns is durable when it is returned.
    """

    def __init__(
        self, path: Path, writer: WriteLane, readers: ReadLane, threads: list[threading.Thread]
    ) -> None:
        self.path = path
        self._writer = writer
        self._readers = readers
        self._threads = threads
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        migrations: tuple[Migration, ...] | None = None,
        prepare: Prepare = lambda _connection, _missing: None,
    ) -> Self:
        """Open the file, make it when there is none, and bring its schema up to this release.

        `prepare` is called before a database that holds something is migrated.
        Blocks. Raises NotADatabaseError, CorruptDatabaseError, MigrationError or StoreError.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Passwords' hashes live here: nobody else on the machine may read them.
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        opened: list[sqlite3.Connection] = []
        try:
            opened.append(connect(path))
            _refuse_damage(opened[0], path)
            migrate(opened[0], released() if migrations is None else migrations, path, prepare=prepare)
            opened.extend(connect(path, read_only=True) for _ in range(READERS))
        except BaseException as error:
            for connection in opened:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise translated(error, path) from error
            raise
        writer, readers = WriteLane("writer", path), ReadLane("reader", path)
        threads = [writer.start(opened[0]), *(readers.start(connection) for connection in opened[1:])]
        return cls(path, writer, readers, threads)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a reader's connection, seeing one moment of the committed state."""
        return cast("T", await self._lane(self._readers).take(work))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the writer's connection and return once its changes are durable.

        An exception undoes this work alone. Cancelling the wait does not undo anything.
        """
        return cast("T", await self._lane(self._writer).take(work))

    def close(self) -> None:
        """Finish what is in line, then stop; later calls raise DatabaseClosedError."""
        if self._closed:
            return
        self._closed = True
        for lane, count in ((self._writer, 1), (self._readers, READERS)):
            for _ in range(count):
                lane.jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._writer.refuse_the_rest()
        self._readers.refuse_the_rest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def check(self) -> tuple[str, ...]:
        """Read the whole file and return what is wrong with it; nothing, when it is sound."""
        rows = await self.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchall())
        return tuple(row[0] for row in rows if row[0] != "ok")

    def _lane(self, lane: Lane) -> Lane:
        if self._closed:
            raise DatabaseClosedError("The platform is stopping.")
        return lane


def _refuse_damage(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > QUICK_CHECK_BYTES:
        return
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise CorruptDatabaseError(
            f"The database {path} is damaged: {verdict}.",
            hint=RESTORE,
        )
