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
from cogyard.store.predictions import SqlPredictions

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

# What a platform of each time wrote into the tables that its migration made: of every table a row at least.
WRITTEN: dict[int, str] = {
    1: """
INSERT INTO accounts (id, username, type, name, password, is_admin, avatar_url, github_url, created_at)
  VALUES (1, 'root', 'user', 'Root', 'scrypt$x', 1, 'https://a.test/1', 'https://g.test/1', 10),
  (2, 'Ann', 'user', 'Ann', NULL, 0, NULL, NULL, 20), (3, 'acme', 'organization', 'Acme', NULL, 0, NULL, NULL, 25);
INSERT INTO tokens (id, account_id, name, hash, tail, created_at, expires_at, revoked_at)
  VALUES (1, 2, 'laptop', x'01', 'abcd', 30, 9000000000000000, NULL), (2, 2, 'lost', x'02', 'efgh', 31, NULL, 32);
INSERT INTO login_links VALUES (x'03', 2, 30, 9000000000000000, NULL);
INSERT INTO webhook_secrets (account_id, secret, created_at) VALUES (2, 'whsec_x', 33);
""",
    2: """
INSERT INTO models (id, owner_id, name, visibility, hardware, description, run_count, created_at, latest_version,
  latest_version_at) VALUES (1, 2, 'Hello', 'private', 'cpu', 'Greets, in Zürich', 7, 40, 'aa', 41);
INSERT INTO versions VALUES (1, 'aa', '0.1', '{"openapi": "3.0.2"}', '{"a": "b"}', 99, 41);
""",
    3: """
INSERT INTO files VALUES (1, 'f1', 2, 'ft', 'a.txt', 'text/plain', 3, 'sha', 'md5', '{}', 42, NULL, NULL),
  (2, 'f2', 2, 'fu', 'b.txt', 'text/plain', 3, 'sha', 'md5', '{}', 43, 9000000000000000, 'p1');
""",
    4: """
INSERT INTO predictions
  (rank, id, account_id, model_id, model, version, status, source, input, output, logs, created_at, stream_token,
  origin)
  VALUES (1, 'p1', 2, 1, 'Ann/Hello', 'aa', 'succeeded', 'api', '{"a": 1}', '"x"', 'said', 50, 's1', ''),
  (2, 'p2', 2, NULL, 'gone/gone', 'bb', 'processing', 'web', '{}', NULL, '', 51, 's2', 'https://o.test');
INSERT INTO queue (rank, prediction_id, deployable, claims, lease_token, lease_expires_at, instance)
  VALUES (1, 'p2', 'v:bb', 1, 'lease', 52, 'i1');
INSERT INTO prediction_events VALUES ('p2', 0, 1, '["x"]', 52);
INSERT INTO outbox (rank, message_id, prediction_id, event, due_at, created_at)
  VALUES (1, 'm1', 'p1', 'completed', 53, 53);
""",
    5: "INSERT INTO sessions VALUES (x'04', 2, 60, 9000000000000000);",
    20: """
INSERT INTO registry_blobs VALUES ('Ann/Hello', 'sha256:b', 5, 61);
INSERT INTO registry_manifests VALUES ('Ann/Hello', 'sha256:aa', 'm', NULL, NULL, x'7b7d', 62);
INSERT INTO registry_references VALUES ('Ann/Hello', 'sha256:b', 'sha256:aa');
INSERT INTO registry_tags VALUES ('Ann/Hello', 'latest', 'sha256:aa', 63);
""",
    31: "INSERT INTO examples VALUES (1, 1, 'p1', 64, NULL);",
    32: """
INSERT INTO deployments (id, owner_id, name, model_id, release, created_at) VALUES (1, 2, 'front', 1, 2, 65);
INSERT INTO releases VALUES (1, 1, 'aa', 'cpu', 0, 1, NULL, NULL, 65, 2), (1, 2, 'aa', 'cpu', 0, 1, 'bb', 10, 66, 1);
""",
    34: "INSERT INTO created_once VALUES (2, 'k', x'05', 'p1', 67);",
    35: """
INSERT INTO collections (slug, name, description, full_description, created_at) VALUES ('chosen', 'C', 'D', 'F', 68);
INSERT INTO collection_models VALUES (1, 'chosen', 1);
""",
    36: """
INSERT INTO webhook_calls (rank, account_id, prediction_id, message_id, event, attempt, at, status, milliseconds)
  VALUES (1, 2, 'p1', 'm0', 'start', 1, 69, 200, 12);
""",
    50: "INSERT INTO audit VALUES (1, 70, 'Ann', 'token', 'models.create', 'Ann/Hello', '10.0.0.1');",
    60: """
INSERT INTO webhook_endpoints
  VALUES ('e1', 2, 'https://h.test', 'completed', NULL, 1, NULL, 'whsec_y', NULL, NULL, NULL, 71);
""",
    63: "INSERT INTO version_removals VALUES (1, 'Ann/Hello', 'bb', 2, 72);",
    80: "INSERT INTO members VALUES (3, 2, 'owner', 73, NULL, 73);",
    93: """
INSERT INTO prediction_hours VALUES (2, 74, 1, 0, 'succeeded', 3, 1, 5);
INSERT INTO instance_hours VALUES ('aa', 1, 74, 2);
""",
}


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


def _lost(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return, of each table, the rows that are not there any more with all that they said."""
    found = {}
    for table, rows in before.items():
        columns = list(rows[0]) if rows else []
        kept = [{name: each.get(name, "no such column") for name in columns} for each in after.get(table, [])]
        found[table] = [row for row in rows if row not in kept]
    return {table: rows for table, rows in found.items() if rows}


async def test_nothing_is_lost_on_the_way_from_the_first_schema(tmp_path: Path) -> None:
    """Each migration finds rows in every table of those before it, and leaves each as it was; then all is found."""
    path, all_ = tmp_path / "cogyard.db", released()
    assert all_[0].number == 1
    with closing(connect(path)) as connection:
        for count, migration in enumerate(all_, 1):
            before = _rows(connection) if count > 1 else {}
            (applied,) = migrate(connection, all_[:count], path)
            after = _rows(connection)
            assert (applied, _lost(before, after)) == (migration, {})
            assert {table: len(after[table]) for table in before} == {
                table: len(rows) for table, rows in before.items()
            }, migration.name
            connection.executescript(WRITTEN.get(migration.number, ""))
            empty = [table for table, rows in _rows(connection).items() if not rows]
            assert not empty, f"{migration.name}: WRITTEN has no row for these tables"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    with Database.open(path) as database:
        assert await database.check() == ()
        accounts, models = SqlAccounts(database), SqlModels(database)
        holder = await accounts.holder_of_token(b"\x01", NOW)
        assert holder is not None
        assert (holder.account.username, holder.scope) == ("Ann", Scope.WRITE)
        assert [each.organization for each in holder.account.memberships] == ["acme"]
        assert await accounts.holder_of_token(b"\x02", NOW) is None
        assert await accounts.webhook_secret(2, "fresh", NOW) == "whsec_x"
        found = await models.search(("zurich",), viewers=(2,), limit=9)
        assert [(each.path, each.run_count) for each in found] == [("Ann/Hello", 7)]
        record = await SqlPredictions(database).get("p1")
        assert record is not None
        assert (record.prediction.output, record.prediction.logs) == ("x", "said")


def test_what_a_migration_loses_is_seen(tmp_path: Path) -> None:
    """A row, a column or a value: the test above does not pass over them."""
    for number, script in enumerate(
        (
            "DELETE FROM tokens WHERE id = 2",
            "ALTER TABLE tokens DROP COLUMN tail",
            "UPDATE tokens SET created_at = 0 WHERE id = 2",
            "DROP TABLE tokens",
        )
    ):
        path = tmp_path / f"{number}.db"
        before = _old(path, 2, WRITTEN[1])
        with closing(connect(path)) as connection:
            connection.executescript(script)
            assert list(_lost(before, _rows(connection))) == ["tokens"], script


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


def test_endpoints_that_nobody_answers_for_are_switched_off(tmp_path: Path) -> None:
    """Of an organization, unless the audit log says that an admin made it; a person's own, and all rows, stay."""
    path = tmp_path / "cogyard.db"
    _old(path, 96, _PEOPLE + _ENDPOINTS)
    Database.open(path).close()
    with closing(connect(path)) as connection:
        found = connection.execute(
            "SELECT id, enabled, disabled_reason FROM webhook_endpoints ORDER BY id"
        ).fetchall()
    assert {row["id"]: bool(row["enabled"]) for row in found} == {
        "by-admin": True,
        "by-leaver": False,
        "of-ann": True,
        "off": False,
        "unknown": False,
    }
    assert {row["id"]: row["disabled_reason"] for row in found}["off"] == "Dead."
    assert all("An admin" in row["disabled_reason"] for row in found if row["id"] in {"by-leaver", "unknown"})


def test_older_collections_leave_the_rooms_of_others(tmp_path: Path) -> None:
    """A further dot becomes a hyphen, with all that is in the collection; what would meet another stays."""
    path = tmp_path / "cogyard.db"
    _old(path, 96, _PEOPLE + _COLLECTIONS)
    Database.open(path).close()
    with closing(connect(path)) as connection:
        slugs = connection.execute("SELECT slug, name, owner_id FROM collections ORDER BY slug").fetchall()
        models = connection.execute("SELECT slug, model_id FROM collection_models ORDER BY rank").fetchall()
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [tuple(row) for row in slugs] == [
        ("ann.b-best", "Mine", 2),
        ("ann.b.good", "Theirs", 3),
        ("ann.c-d", "First", 2),
        ("ann.c.d", "Second", 2),
        ("v1.5", "Platform's", None),
    ]
    assert [tuple(row) for row in models] == [("ann.b-best", 1), ("ann.c-d", 1)]


def test_what_waited_before_the_upgrade_takes_turns(tmp_path: Path) -> None:
    """Each account's own in the order in which they came, and one of each in turn."""
    path = tmp_path / "cogyard.db"
    _old(path, 99, _PEOPLE + _WAITING)
    Database.open(path).close()
    with closing(connect(path)) as connection:
        found = connection.execute(
            "SELECT prediction_id, account_id, urgency FROM queue WHERE deployable = 'd' ORDER BY turn, rank"
        ).fetchall()
    assert [tuple(row) for row in found] == [
        ("p1", 2, 1),
        ("p3", 3, 1),
        ("p2", 2, 1),
        ("p5", 3, 1),
        ("p4", 2, 1),
    ]


_WAITING = """
INSERT INTO predictions
  (rank, id, account_id, model, version, status, source, input, logs, created_at, stream_token, origin) VALUES
  (1, 'p1', 2, 'a/m', 'v', 'starting', 'api', '{}', '', 50, 's1', ''),
  (2, 'p2', 2, 'a/m', 'v', 'starting', 'api', '{}', '', 51, 's2', ''),
  (3, 'p3', 3, 'a/m', 'v', 'starting', 'api', '{}', '', 52, 's3', ''),
  (4, 'p4', 2, 'a/m', 'v', 'starting', 'api', '{}', '', 53, 's4', ''),
  (5, 'p5', 3, 'a/m', 'v', 'starting', 'api', '{}', '', 54, 's5', '');
INSERT INTO queue (rank, prediction_id, deployable) VALUES
  (1, 'p1', 'd'), (2, 'p2', 'd'), (3, 'p3', 'd'), (4, 'p4', 'd'), (5, 'p5', 'd');
"""
_PEOPLE = """
INSERT INTO accounts (id, username, type, name, created_at) VALUES (1, 'acme', 'organization', 'Acme', 10),
  (2, 'ann', 'user', 'Ann', 20), (3, 'ann.b', 'user', 'Ann B', 25), (4, 'gone', 'user', 'Gone', 26);
INSERT INTO members VALUES (1, 2, 'admin', 30, NULL, 30), (1, 3, 'writer', 30, NULL, 30);
"""
_ENDPOINTS = """
INSERT INTO webhook_endpoints VALUES
  ('by-admin', 1, 'https://h.test', 'completed', NULL, 1, NULL, 's', NULL, NULL, NULL, 1000000000),
  ('by-leaver', 1, 'https://h.test', 'completed', NULL, 1, NULL, 's', NULL, NULL, NULL, 2000000000),
  ('of-ann', 2, 'https://h.test', 'completed', NULL, 1, NULL, 's', NULL, NULL, NULL, 3000000000),
  ('off', 1, 'https://h.test', 'completed', NULL, 0, 'Dead.', 's', NULL, NULL, NULL, 4000000000),
  ('unknown', 1, 'https://h.test', 'completed', NULL, 1, NULL, 's', NULL, NULL, NULL, 5000000000);
INSERT INTO audit VALUES
  (1, 1000000500, 'Ann', 'token for acme', 'webhooks.endpoints.create', 'webhooks/endpoints', ''),
  (2, 2000000500, 'gone', 'session for acme', 'webhooks.endpoints.create', 'by-leaver', ''),
  (3, 5000000500, 'ann', 'token', 'webhooks.endpoints.create', 'webhooks/endpoints', '');
"""
_COLLECTIONS = """
INSERT INTO models (id, owner_id, name, visibility, hardware, created_at) VALUES (1, 2, 'm', 'public', 'cpu', 40);
INSERT INTO collections (slug, name, description, created_at, owner_id) VALUES
  ('ann.b.best', 'Mine', '', 50, 2), ('ann.b.good', 'Theirs', '', 51, 3), ('ann.c-d', 'First', '', 52, 2),
  ('ann.c.d', 'Second', '', 53, 2), ('v1.5', 'Platform''s', '', 54, NULL);
INSERT INTO collection_models VALUES (1, 'ann.b.best', 1), (2, 'ann.c-d', 1);
"""
