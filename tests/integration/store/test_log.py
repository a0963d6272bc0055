"""Room for the write-ahead log: made once, harmless to what the log holds, done without where there is none."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from cogyard.store.connection import connect
from cogyard.store.database import Database
from cogyard.store.log import LOG_BYTES, allocate

pytestmark = pytest.mark.anyio


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


async def test_no_commit_makes_the_log_longer(tmp_path: Path) -> None:
    """Also after a checkpoint it is as long as before."""
    with Database.open(tmp_path / "p.db", migrations=(), durable=False) as database:
        await database.write(lambda db: db.execute("CREATE TABLE words (word TEXT)"))
        await database.allocate_log()
        for _ in range(3):
            for _ in range(1500):
                await database.write(
                    lambda db: db.execute("INSERT INTO words VALUES (hex(randomblob(1500)))")
                )
            assert _log_of(database.path).stat().st_size == LOG_BYTES
        await database.allocate_log()
        assert _log_of(database.path).stat().st_size == LOG_BYTES


@pytest.mark.parametrize("before", [0, 50], ids=["empty", "with frames"])
def test_what_the_log_holds_is_read_after_a_crash(tmp_path: Path, before: int) -> None:
    """Commits before and after are there when nothing was folded in, and nothing else is."""
    path, copy = tmp_path / "p.db", tmp_path / "crashed.db"
    connection = connect(path, durable=False)
    connection.execute("CREATE TABLE words (word TEXT)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for number in range(before):
        connection.execute("INSERT INTO words VALUES (?)", (f"before {number}",))
    connection.execute("BEGIN IMMEDIATE")
    allocate(connection)
    connection.execute("INSERT INTO words VALUES ('within')")
    connection.execute("COMMIT")
    connection.execute("INSERT INTO words VALUES ('after')")
    # As a machine that fails leaves it: the file and its log, and nobody who closes them.
    shutil.copy(path, copy)
    shutil.copy(_log_of(path), _log_of(copy))
    connection.close()
    with sqlite3.connect(copy) as crashed:
        found = [row[0] for row in crashed.execute("SELECT word FROM words ORDER BY rowid")]
        assert crashed.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    crashed.close()
    assert found == [*(f"before {number}" for number in range(before)), "within", "after"]


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform goes on, only not so quickly; no byte of the disk is held for nothing."""
    connection = connect(tmp_path / "p.db", durable=False)
    connection.execute("CREATE TABLE words (word TEXT)")
    before = _log_of(tmp_path / "p.db").stat().st_size
    real, written = os.pwrite, list[int]()

    def full(file: int, data: bytes, place: int) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(place)
        return real(file, data, place)

    monkeypatch.setattr(os, "pwrite", full)
    connection.execute("BEGIN IMMEDIATE")
    allocate(connection)
    connection.execute("INSERT INTO words VALUES ('kept')")
    connection.execute("COMMIT")
    assert written == [before]
    assert _log_of(tmp_path / "p.db").stat().st_size < before + 10 * 4096
    assert connection.execute("SELECT word FROM words").fetchone()[0] == "kept"
    connection.close()
