"""What is kept in memory is what the database says: whoever changes it, in this process or another."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cogyard.domain.values import Account, Version, Visibility
from cogyard.features.accounts.ports import NewAccount, NewToken
from cogyard.features.models.ports import NewModel
from cogyard.store.accounts import SqlAccounts
from cogyard.store.database import Database
from cogyard.store.models import SqlModels
from cogyard.store.remembered import Remembered
from cogyard.testing.database import open_database

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = "a" * 64
#: Columns that count or note something, and give nobody a right.
_COUNTERS = {("tokens", "last_used_at"), ("models", "run_count")}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return an empty database."""
    with open_database(tmp_path / "cogyard.db") as database:
        yield database


@pytest.fixture
def other(database: Database) -> Iterator[sqlite3.Connection]:
    """Return a connection as another process has it."""
    connection = sqlite3.connect(database.path, isolation_level=None)
    yield connection
    connection.close()


async def _ann(database: Database) -> Account:
    return await SqlAccounts(database).add(
        NewAccount(
            username="ann", name="Ann", type="user", is_admin=False, password_hash=None, created_at=NOW
        )
    )


def _token(account: Account, expires_at: datetime | None = None) -> NewToken:
    return NewToken(
        account_id=account.id, name="t", hash=b"1", tail="abcd", created_at=NOW, expires_at=expires_at
    )


async def _next_request() -> None:
    """Let the loop go on, as it does before anybody can have asked again."""
    await asyncio.sleep(0)


def _number(database: Database) -> int:
    found: int = database.look(lambda db: db.execute("SELECT number FROM rights_changed").fetchone())[0]
    return found


async def test_nothing_is_read_twice_while_nothing_changes(database: Database) -> None:
    """What is there is kept, what is not there is looked for again, and what is most is dropped."""
    remembered, read = Remembered[str, str](most=2), list[str]()

    def find(key: str) -> str | None:
        def reading() -> str | None:
            read.append(key)
            return None if key == "nobody" else key.upper()

        return database.look(lambda db: remembered.find(database.changes.number(db), key, reading))

    assert [find("a"), find("a"), find("nobody"), find("nobody"), find("b"), find("a")] == [
        *("A", "A", None, None, "B", "A")
    ]
    assert read == ["a", "nobody", "nobody", "b"]
    assert find("c") == "C"
    assert find("a") == "A"
    assert read[-2:] == ["c", "a"]
    await _ann(database)
    assert find("a") == "A"
    remembered.forget()
    assert find("a") == "A"
    assert read[-2:] == ["a", "a"]


async def test_changes_are_counted_once_in_a_pass_of_the_loop(
    database: Database, other: sqlite3.Connection
) -> None:
    """Who asks in the same pass had come before; the next pass looks anew, and so does whoever has no loop."""
    await _ann(database)

    def number() -> int:
        return database.look(database.changes.number)

    first = number()
    other.execute("UPDATE accounts SET is_admin = 1")
    assert number() == first
    assert await asyncio.to_thread(number) == first + 1
    await _next_request()
    assert number() == first + 1


@pytest.mark.parametrize("table", ["accounts", "tokens", "members", "models", "versions"])
async def test_every_column_is_watched(database: Database, other: sqlite3.Connection, table: str) -> None:
    """A column that a later migration adds is a right until somebody says otherwise here."""
    ann = await _ann(database)
    await SqlAccounts(database).add_token(_token(ann))
    model = await _model(database, ann)
    other.execute(
        "INSERT INTO accounts (username, type, name, created_at) VALUES ('org', 'organization', 'O', 0)"
    )
    other.execute(
        "INSERT INTO members (organization_id, account_id, role, invited_at) VALUES (2, 1, 'owner', 0)"
    )
    await SqlModels(database).add_version(model, _version())
    columns = [row[1] for row in other.execute(f"PRAGMA table_info({table})")]
    for column in columns:
        before = _number(database)
        assert other.execute(f"UPDATE {table} SET {column} = {column}").rowcount > 0  # noqa: S608 - names of ours
        assert (_number(database) > before) is ((table, column) not in _COUNTERS), column
    before = _number(database)
    other.execute("PRAGMA foreign_keys = OFF")
    other.execute(f"DELETE FROM {table}")  # noqa: S608 - as above
    assert _number(database) > before


async def _model(database: Database, owner: Account) -> int:
    made = await SqlModels(database).add(
        NewModel(owner_id=owner.id, name="pic", visibility=Visibility.PRIVATE, hardware="cpu", created_at=NOW)
    )
    return made.id


def _version() -> Version:
    return Version(
        id=ID, model="ann/pic", created_at=NOW, cog_version="1", openapi_schema={}, labels={}, size=1
    )


async def test_a_token_revoked_elsewhere_is_nobodys_at_once(
    database: Database, other: sqlite3.Connection
) -> None:
    """From the next request on, as if nothing had been kept; so is one whose account is no more what it was."""
    accounts = SqlAccounts(database)
    await accounts.add_token(_token(await _ann(database)))
    for _ in range(2):
        holder = await accounts.holder_of_token(b"1", NOW)
        assert holder is not None
        assert not holder.account.is_admin
    other.execute("UPDATE accounts SET is_admin = 1")
    await _next_request()
    promoted = await accounts.holder_of_token(b"1", NOW)
    assert promoted is not None
    assert promoted.account.is_admin
    other.execute("UPDATE tokens SET revoked_at = 1")
    await _next_request()
    assert await accounts.holder_of_token(b"1", NOW) is None


async def test_a_kept_token_expires_in_time(database: Database) -> None:
    """Nothing changes in the database then."""
    accounts = SqlAccounts(database)
    await accounts.add_token(_token(await _ann(database), NOW + timedelta(seconds=9)))
    assert await accounts.holder_of_token(b"1", NOW + timedelta(seconds=8)) is not None
    assert await accounts.holder_of_token(b"1", NOW + timedelta(seconds=9)) is None
    assert await accounts.holder_of_token(b"1", NOW + timedelta(seconds=8)) is not None


async def test_a_version_is_seen_as_its_model_is_now(database: Database, other: sqlite3.Connection) -> None:
    """Made public, renamed or deleted elsewhere: it is heard at the next look; that it ran is not a change."""
    models = SqlModels(database)
    model = await _model(database, await _ann(database))
    assert await models.with_id(ID) == ()
    await models.add_version(model, _version())
    ((found, _),) = await models.with_id(ID)
    assert found.visibility is Visibility.PRIVATE
    before = _number(database)
    other.execute("UPDATE models SET run_count = run_count + 1")
    assert _number(database) == before
    other.execute("UPDATE models SET visibility = 'public', name = 'photo'")
    await _next_request()
    ((found, version),) = await models.with_id(ID)
    assert (found.visibility, found.path, version.model) == (Visibility.PUBLIC, "ann/photo", "ann/photo")
    other.execute("DELETE FROM versions")
    await _next_request()
    assert await models.with_id(ID) == ()
