"""An account that goes: what stands in its way, and what goes with it.

Theory of operation. The row stays without its name, since releases, audit and others point at it; all that says whose
it is goes. Tables are found by their references, so that a table of a later release is not forgotten. Files expire
instead: the platform that runs sweeps them with their bytes, which a command beside it must not touch.
"""

# Statements are put together from names that the schema itself gives; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from datetime import datetime

from cogyard.features.accounts.ports import BelongingsLeftError
from cogyard.store.times import stored

_OWNED = (
    "SELECT o.username FROM accounts o JOIN members m ON m.organization_id = o.id WHERE m.account_id = ?1"
)
_SOLE = (
    f"{_OWNED} AND m.role = 'owner' AND m.joined_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members x"
    " WHERE x.organization_id = o.id AND x.account_id <> ?1 AND x.role = 'owner' AND x.joined_at IS NOT NULL)"
    " ORDER BY o.username"
)
_COUNTS = (
    ("models", "SELECT count(*) FROM models WHERE owner_id = ?"),
    ("deployments", "SELECT count(*) FROM deployments WHERE owner_id = ?"),
    (
        "predictions that wait or run",
        "SELECT count(*) FROM queue q JOIN predictions p ON p.id = q.prediction_id WHERE p.account_id = ?",
    ),
)
_OTHER_ADMINISTRATORS = "SELECT 1 FROM accounts WHERE is_admin AND deleted_at IS NULL AND id <> ? LIMIT 1"
_OF_PREDICTIONS = "IN (SELECT id FROM predictions WHERE account_id = ?)"
_NAMELESS = (
    "UPDATE accounts SET username = '~' || id, name = 'a deleted account', password = NULL, is_admin = 0,"
    " avatar_url = NULL, github_url = NULL, keep_predictions = NULL, deleted_at = ? WHERE id = ?"
)
#: What goes in a way of its own.
_APART = frozenset({"files", "predictions"})


def close(db: sqlite3.Connection, account_id: int, now: datetime) -> None:
    """Take an account out. Raises BelongingsLeftError, and then changes nothing."""
    row = db.execute("SELECT is_admin, username FROM accounts WHERE id = ?", (account_id,)).fetchone()
    if row is None:
        return
    _refuse(db, account_id, is_admin=bool(row["is_admin"]))
    db.execute(f"DELETE FROM prediction_events WHERE prediction_id {_OF_PREDICTIONS}", (account_id,))
    db.execute(f"DELETE FROM outbox WHERE prediction_id {_OF_PREDICTIONS}", (account_id,))
    db.execute("UPDATE files SET expires_at = ? WHERE account_id = ?", (stored(now), account_id))
    db.execute("DELETE FROM predictions WHERE account_id = ?", (account_id,))
    # By name, as it was kept: the next account of that name has not asked.
    db.execute("UPDATE predictions SET asked_by = NULL WHERE asked_by = ?", (row["username"],))
    for table, column in _references(db):
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", (account_id,))
    db.execute(_NAMELESS, (stored(now), account_id))


def _refuse(db: sqlite3.Connection, account_id: int, *, is_admin: bool) -> None:
    left = [
        f"{count} {what}" for what, sql in _COUNTS if (count := db.execute(sql, (account_id,)).fetchone()[0])
    ]
    if left:
        raise BelongingsLeftError(f"it still has {', '.join(left)}. Delete or cancel them first.")
    if sole := [row[0] for row in db.execute(_SOLE, (account_id,))]:
        raise BelongingsLeftError(
            f"nobody else owns {', '.join(sole)}. Make another member an owner first, or delete the organization."
        )
    if is_admin and db.execute(_OTHER_ADMINISTRATORS, (account_id,)).fetchone() is None:
        raise BelongingsLeftError("it is the platform's last administrator. Make another one first.")


def _references(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return (table, column) of what belongs to accounts and goes with them."""
    names = [row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        (table, row["from"])
        for table in names
        if table not in _APART
        for row in db.execute(f"PRAGMA foreign_key_list({table})")
        if row["table"] == "accounts" and row["on_delete"] == "CASCADE"
    ]
