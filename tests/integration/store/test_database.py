"""The database keeps what it has acknowledged, undoes what failed, and says what is wrong with a file."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cogyard.store.database import Database
from cogyard.store.errors import (
    CorruptDatabaseError,
    DatabaseClosedError,
    DiskFullError,
    MigrationError,
    NotADatabaseError,
)
from cogyard.store.migrations import Migration, released, statements

pytestmark = pytest.mark.anyio

NOTES = Migration(
    number=1, name="notes", sql="CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE);"
)

# Writes one note after another, and prints each only after it was acknowledged.
WRITER = """
import asyncio, sys
from cogyard.store.database import Database
from cogyard.store.migrations import Migration
NOTES = Migration(number=1, name="notes", sql=sys.argv[2])

async def main():
    db = Database.open(sys.argv[1], migrations=(NOTES,))
    async def write(lane):
        for n in range(100_000):
            work = lambda c: c.execute("INSERT INTO notes (text) VALUES (?)", (f"{lane}-{n}",))
            await db.write(work, quick=lane % 4 > 0)
            print(f"{lane}-{n}", flush=True)
    await asyncio.gather(*(write(lane) for lane in range(8)))

asyncio.run(main())
"""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Open a fresh database with one table."""
    with Database.open(tmp_path / "cogyard.db", migrations=(NOTES,)) as opened:
        yield opened


def _add(text: str) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        cursor = connection.execute("INSERT INTO notes (text) VALUES (?) RETURNING id", (text,))
        return int(cursor.fetchone()[0])

    return work


async def _texts(db: Database) -> list[str]:
    rows = await db.read(
        lambda connection: connection.execute("SELECT text FROM notes ORDER BY id").fetchall()
    )
    return [row["text"] for row in rows]


async def test_what_is_written_is_read(db: Database) -> None:
    """A write is visible to reads once it has been acknowledged, and returns what its function returned."""
    assert await db.write(_add("one")) == 1
    assert await _texts(db) == ["one"]


QUICK = pytest.mark.parametrize("quick", [False, True], ids=["by the thread", "by the loop"])


@QUICK
async def test_a_failing_write_undoes_itself_alone(db: Database, quick: bool) -> None:
    """Others in the same commit are kept; the error goes to whoever asked."""

    def breaks(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes (text) VALUES ('half')")
        raise ValueError("no")

    results = await asyncio.gather(
        *(db.write(_add(str(n)), quick=quick) for n in range(50)),
        db.write(breaks, quick=quick),
        db.write(_add("7"), quick=quick),
        *(db.write(_add(str(n)), quick=quick) for n in range(50, 99)),
        return_exceptions=True,
    )
    errors = [result for result in results if isinstance(result, BaseException)]
    assert [type(error) for error in errors] == [ValueError, sqlite3.IntegrityError]
    assert sorted(await _texts(db), key=int) == [str(n) for n in range(99)]


@QUICK
async def test_a_full_disk_is_said_and_loses_nothing(db: Database, quick: bool) -> None:
    """Writes fail with what to do, reads go on, and once there is room writes do too."""

    def most(pages: int) -> Callable[[sqlite3.Connection], int]:
        return lambda connection: int(connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()[0])

    await db.write(most(20))
    results = [
        await asyncio.gather(db.write(_add(f"{n}" + "x" * 1000), quick=quick), return_exceptions=True)
        for n in range(99)
    ]
    failures = [result for (result,) in results if isinstance(result, BaseException)]
    kept = len(results) - len(failures)
    assert {type(failure) for failure in failures} == {DiskFullError}
    assert len(await _texts(db)) == kept > 10
    await db.write(most(10_000))
    await asyncio.gather(*(db.write(_add(f"more {n}")) for n in range(9)))
    assert len(await _texts(db)) == kept + 9
    assert await db.check() == ()


async def test_readers_cannot_write(db: Database) -> None:
    """A read that tries to change something fails."""
    with pytest.raises(Exception, match="readonly"):
        await db.read(lambda connection: connection.execute("INSERT INTO notes (text) VALUES ('x')"))
    assert await _texts(db) == []


@pytest.mark.parametrize("turns", range(4))
@QUICK
async def test_closing_finishes_what_is_in_line_and_refuses_the_rest(
    db: Database, turns: int, quick: bool
) -> None:
    """Nothing acknowledged is lost and nobody waits for ever, wherever a turn is when it comes."""
    pending = [asyncio.ensure_future(db.write(_add(str(n)), quick=quick)) for n in range(200)]
    for _ in range(turns):
        await asyncio.sleep(0)
    if turns:
        await asyncio.to_thread(db.close)
        await asyncio.gather(*pending)
    else:
        db.close()
        results = await asyncio.gather(*pending, return_exceptions=True)
        assert {type(result) for result in results} == {DatabaseClosedError}
    with pytest.raises(DatabaseClosedError):
        await db.write(_add("late"), quick=quick)
    with pytest.raises(DatabaseClosedError):
        db.look(lambda connection: connection.execute("SELECT 1").fetchone())


async def test_a_look_sees_what_was_acknowledged_and_cannot_write(db: Database) -> None:
    """It is a read, done at once; a failing one leaves nothing behind."""
    await db.write(_add("one"), quick=True)
    query = "SELECT text FROM notes"
    assert db.look(lambda connection: connection.execute(query).fetchone()["text"]) == "one"
    with pytest.raises(Exception, match="readonly"):
        db.look(lambda connection: connection.execute("INSERT INTO notes (text) VALUES ('x')"))
    assert db.look(lambda connection: len(connection.execute(query).fetchall())) == 1


async def test_the_loop_does_not_wait_for_another_process(db: Database) -> None:
    """While another holds the lock, quick writes wait in the thread; what they did is kept once it is free."""
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    pending = [asyncio.ensure_future(db.write(_add(str(n)), quick=True)) for n in range(3)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert not any(task.done() for task in pending)
    other.execute("ROLLBACK")
    other.close()
    await asyncio.gather(*pending)
    assert await _texts(db) == ["0", "1", "2"]


def test_closing_does_not_wait_for_a_turn_that_failed(db: Database) -> None:
    """The loop may find the disk full in the very moment of the end: its turn is given back, and never handed over."""
    lane = db._writer
    assert lane._turn.acquire(blocking=False)
    closing = threading.Thread(target=db.close, daemon=True)
    closing.start()
    until = time.monotonic() + 20
    while not (db._closed and lane._turns.empty()) and time.monotonic() < until:
        time.sleep(0.01)
    lane._turn.release()
    closing.join(20)
    assert not closing.is_alive()


def test_loops_share_turns_and_one_that_ends_holds_nobody_up(db: Database) -> None:
    """Writes of several event loops are all answered, also when another loop goes away in the middle."""

    async def write(name: str, count: int) -> None:
        await asyncio.gather(*(db.write(_add(f"{name}-{n}"), quick=n % 3 > 0) for n in range(count)))

    async def leave(name: str) -> None:
        for n in range(5):
            asyncio.ensure_future(db.write(_add(f"{name}-{n}"), quick=True))  # noqa: RUF006 - nobody waits for it
        await asyncio.sleep(0)

    def loops(number: int) -> None:
        for n in range(20):
            asyncio.run(leave(f"left-{number}-{n}"))
            asyncio.run(write(f"{number}-{n}", 10))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(loops, range(4)))
    rows = db.look(lambda connection: connection.execute("SELECT text FROM notes").fetchall())
    assert len([row for row in rows if not row["text"].startswith("left")]) == 4 * 20 * 10


def test_the_file_is_the_owners_alone(db: Database) -> None:
    """Hashes of passwords are in it."""
    assert stat.S_IMODE(db.path.stat().st_mode) == 0o600


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file that is no database is named and left as it was: it may be ours, without its first page."""
    path = tmp_path / "cogyard.db"
    path.write_bytes(b"dear diary, " * 1000)
    with pytest.raises(NotADatabaseError, match=r"cogyard\.db") as caught:
        Database.open(path)
    assert "cogyard restore" in (caught.value.hint or "")
    assert path.read_bytes() == b"dear diary, " * 1000


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """We never migrate what is not ours."""
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(NotADatabaseError):
        Database.open(path)


def test_a_closed_database_is_one_file(tmp_path: Path) -> None:
    """Whichever thread ends first: what is copied then is whole."""
    for number in range(20):
        path = tmp_path / f"{number}.db"
        Database.open(path).close()
        assert [each.name for each in tmp_path.glob(f"{number}.db*")] == [path.name]


def test_a_damaged_database_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """Damage is found when the file is opened, and the hint says what to do."""
    path = tmp_path / "cogyard.db"
    Database.open(path).close()
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xa5" * 8192
    path.write_bytes(content)
    with pytest.raises(CorruptDatabaseError) as caught:
        Database.open(path)
    assert "cogyard restore" in (caught.value.hint or "")


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """An older release does not touch what a newer one wrote."""
    path = tmp_path / "cogyard.db"
    newer = Migration(number=9999, name="future", sql="CREATE TABLE future (x);")
    Database.open(path, migrations=(*released(), newer)).close()
    with pytest.raises(MigrationError, match="9999_future"):
        Database.open(path)


def test_an_edited_migration_is_noticed(tmp_path: Path) -> None:
    """History is fixed once it has been applied somewhere."""
    path = tmp_path / "cogyard.db"
    Database.open(path, migrations=(NOTES,)).close()
    edited = Migration(number=1, name="notes", sql=NOTES.sql + "-- edited")
    with pytest.raises(MigrationError, match="0001_notes"):
        Database.open(path, migrations=(edited,))


def test_a_failing_migration_leaves_nothing_behind(tmp_path: Path) -> None:
    """A migration is whole or not at all, so the older release still works after it."""
    path = tmp_path / "cogyard.db"
    broken = Migration(number=2, name="broken", sql="CREATE TABLE half (x);\nCREATE TABLE notes (x);")
    with pytest.raises(MigrationError, match=r"0002_broken cannot be applied to .*already exists"):
        Database.open(path, migrations=(NOTES, broken))
    with Database.open(path, migrations=(NOTES,)):
        pass
    tables = {
        row[0] for row in sqlite3.connect(path).execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert "half" not in tables


def test_reopening_applies_nothing_again(tmp_path: Path) -> None:
    """The released migrations run once, in order."""
    path = tmp_path / "cogyard.db"
    Database.open(path).close()
    Database.open(path).close()
    numbers = [
        row[0] for row in sqlite3.connect(path).execute("SELECT number FROM migrations ORDER BY rowid")
    ]
    assert numbers == [migration.number for migration in released()]


def test_statements_end_where_sqlite_says() -> None:
    """Semicolons inside triggers and strings end nothing."""
    script = (
        "-- why\nCREATE TABLE a (x);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n  SELECT ';';\nEND;\n-- end\n"
    )
    assert len(list(statements(script))) == 2
    with pytest.raises(MigrationError):
        list(statements("CREATE TABLE a (x"))


def _write_until_killed(path: Path) -> list[str]:
    """Run the writer, kill it in the middle, and return what it said was kept."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), NOTES.sql], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(300)]
    process.kill()
    acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    process.wait()
    return acknowledged


async def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Every acknowledged write is there after the process was killed, and the file is sound."""
    path = tmp_path / "cogyard.db"
    acknowledged = await asyncio.to_thread(_write_until_killed, path)
    assert len(acknowledged) >= 300
    with Database.open(path, migrations=(NOTES,)) as reopened:
        kept = set(await _texts(reopened))
        assert set(acknowledged) <= kept
        assert await reopened.check() == ()
