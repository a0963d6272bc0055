"""The one door to the SQLite file: `await db.read(fn)`, `db.look(fn)` and `await db.write(fn)`."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar, cast

from cogyard.store.connection import connect
from cogyard.store.errors import RESTORE, CorruptDatabaseError, DatabaseClosedError, translated
from cogyard.store.lanes import ReadLane
from cogyard.store.log import allocate
from cogyard.store.migrations import Migration, Prepare, migrate, released
from cogyard.store.remembered import Changes
from cogyard.store.turns import WriteLane

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
        self,
        path: Path,
        writer: WriteLane,
        readers: ReadLane,
        threads: list[threading.Thread],
        looking: sqlite3.Connection,
    ) -> None:
        self.path = path
        self.changes = Changes()
        """Says under which number what is remembered still holds."""
        self._looking = looking
        self._look = threading.Lock()
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
        durable: bool = True,
    ) -> Self:
        """Open the file, make it when there is none, and bring its schema up to this release.

        `prepare` is called before a database that holds something is migrated. Without `durable` what a write returns
        is lost when the machine fails: for tests.
        Blocks. Raises NotADatabaseError, CorruptDatabaseError, MigrationError or StoreError.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Passwords' hashes live here: nobody else on the machine may read them.
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        opened: list[sqlite3.Connection] = []
        try:
            opened.append(connect(path, durable=durable))
            _refuse_damage(opened[0], path)
            migrate(opened[0], released() if migrations is None else migrations, path, prepare=prepare)
            opened.extend(connect(path, read_only=True) for _ in range(READERS + 1))
        except BaseException as error:
            for connection in opened:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise translated(error, path) from error
            raise
        writer, readers = WriteLane("writer", path), ReadLane("reader", path)
        looking = opened.pop()
        threads = [writer.start(opened[0]), *(readers.start(connection) for connection in opened[1:])]
        return cls(path, writer, readers, threads, looking)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a reader's connection, seeing one moment of the committed state."""
        self._refuse_when_closed()
        return cast("T", await self._readers.take(work))

    def look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` here and now, each of its statements seeing the committed state of its moment.

        It holds up whoever calls, so it may only look up single rows by an index: handing those to a thread and back
        takes several times longer than finding them.
        """
        with self._look:
            self._refuse_when_closed()
            try:
                return work(self._looking)
            except sqlite3.Error as error:
                raise translated(error, self.path) from error

    async def write(self, work: Callable[[sqlite3.Connection], T], *, quick: bool = False) -> T:
        """Run `work` on the writer's connection and return once its changes are durable.

        An exception undoes this work alone. Cancelling the wait does not undo anything. `quick` work is a few
        statements on single rows, which may be run in the event loop itself.
        """
        self._refuse_when_closed()
        return cast("T", await self._writer.take(work, quick=quick))

    async def allocate_log(self) -> None:
        """Make room for the write-ahead log at once, so that no commit waits for its file to grow."""
        await self.write(allocate)

    def close(self) -> None:
        """Finish what is in line, then stop; later calls raise DatabaseClosedError."""
        if self._closed:
            return
        with self._look:
            self._closed = True
            self._looking.close()
        # The writer's connection closes last: only one that may write folds the log into the file when it is the last.
        writer, *readers = self._threads
        for _ in readers:
            self._readers.jobs.put(None)
        for thread in readers:
            thread.join()
        self._writer.stop()
        writer.join()
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

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise DatabaseClosedError("The platform is stopping.")


def _refuse_damage(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > QUICK_CHECK_BYTES:
        return
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise CorruptDatabaseError(
            f"The database {path} is damaged: {verdict}.",
            hint=RESTORE,
        )
