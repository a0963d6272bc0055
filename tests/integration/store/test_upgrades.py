"""A database of an earlier release, filled as that release filled it, is brought up to date without loss."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.paging import Window
from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope
from cogyard.features.accounts.ports import NewAccount
from cogyard.store.accounts import SqlAccounts
from cogyard.store.collections import SqlCollections
from cogyard.store.connection import connect
from cogyard.store.database import Database
from cogyard.store.migrations import migrate, released
from cogyard.store.models import SqlModels
from cogyard.store.organizations import SqlOrganizations

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 26, tzinfo=UTC)
ORGANIZATIONS = 80

# What the release before organizations wrote: its own statements, not ours.
BEFORE_ORGANIZATIONS = """
INSERT INTO accounts (id, username, type, name, password, is_admin, created_at)
  VALUES (1, 'root', 'user', 'Root', 'scrypt$x', 1, 10), (2, 'ann', 'user', 'Ann', NULL, 0, 20);
INSERT INTO tokens (account_id, name, hash, tail, created_at, scope) VALUES (2, 'laptop', x'01', 'abcd', 30, 'run');
INSERT INTO sessions (hash, account_id, created_at, expires_at) VALUES (x'02', 2, 30, 9000000000000000);
INSERT INTO models (id, owner_id, name, visibility, hardware, created_at, latest_version, latest_version_at)
  VALUES (1, 2, 'hello', 'private', 'cpu', 40, 'aa', 41);
INSERT INTO model_words (rowid, path, description, readme) VALUES (1, 'ann/hello', '', '');
INSERT INTO predictions
  (id, account_id, model_id, model, version, status, source, input, created_at, stream_token, origin)
  VALUES ('p1', 2, 1, 'ann/hello', 'aa', 'succeeded', 'api', '{}', 50, 's1', '');
INSERT INTO collections (slug, name, description, created_at) VALUES ('chosen', 'Chosen', '', 55);
INSERT INTO deployments (id, owner_id, name, model_id, release, created_at) VALUES (1, 2, 'front', 1, 1, 60);
INSERT INTO releases (deployment_id, number, version, hardware, min_instances, max_instances, created_at, created_by)
  VALUES (1, 1, 'aa', 'cpu', 0, 1, 60, 2);
"""


def _old(path: Path, number: int, script: str) -> dict[str, list[Any]]:
    """Make a database as it was before a migration, fill it, and return every row of it."""
    with closing(connect(path)) as connection:
        migrate(connection, tuple(each for each in released() if each.number < number), path)
        connection.executescript(script)
        return _rows(connection)


def _rows(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    tables = [
        row[0]
        for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if row[0] != "migrations"
    ]
    return {
        table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - of the schema
        for table in tables
    }


async def test_organizations_come_to_a_database_that_had_none(tmp_path: Path) -> None:
    """Every row and column is as it was, what let people in still does, and one may be made at once."""
    path = tmp_path / "cogyard.db"
    before = _old(path, ORGANIZATIONS, BEFORE_ORGANIZATIONS)
    assert len(before["accounts"]) == 2
    with Database.open(path) as database:
        after = await database.read(_rows)
        for table, rows in before.items():
            kept = [
                {column: each[column] for column in old} for old, each in zip(rows, after[table], strict=True)
            ]
            assert kept == rows, table
        accounts = SqlAccounts(database)
        holder = await accounts.holder_of_token(b"\x01", NOW)
        assert holder is not None
        assert (holder.account.username, holder.scope, holder.account.memberships) == ("ann", Scope.RUN, ())
        assert holder.account.role is Role.OWNER
        assert await accounts.account_of_session(b"\x02", NOW) == holder.account
        assert [each.username for each in await accounts.all()] == ["ann", "root"]
        new = NewAccount(
            username="acme",
            name="Acme",
            type="organization",
            is_admin=False,
            password_hash=None,
            created_at=NOW,
        )
        acme = await SqlOrganizations(database).found(new, holder.account.id)
        again = await accounts.by_id(holder.account.id)
        assert again is not None
        assert again.reached == (holder.account.id, acme.id)
        found = await SqlModels(database).search(("hello",), viewers=again.reached, limit=9)
        assert [each.path for each in found] == ["ann/hello"]
        (chosen,) = (await SqlCollections(database).list(Window(limit=9))).items
        assert (chosen.slug, chosen.owner) == ("chosen", None)
        assert await database.check() == ()
