"""Accounts, tokens, sessions and one-time links in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime

from cogyard.domain.roles import Membership, Role
from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account, ApiToken
from cogyard.features.accounts.ports import Holder, NameTakenError, NewAccount, NewSession, NewToken
from cogyard.store.closing import close
from cogyard.store.database import Database
from cogyard.store.remembered import Remembered
from cogyard.store.rows import from_json, run
from cogyard.store.times import moment, stored

_COLUMNS = "a.id, a.username, a.name, a.type, a.is_admin, a.avatar_url, a.github_url, a.created_at"
# In the same question: who has been removed is out with the next request, and a request asks no more than before.
_MEMBERSHIPS = (
    "(SELECT json_group_array(json_array(g.username, g.id, m.role)) FROM members m"
    " JOIN accounts g ON g.id = m.organization_id WHERE m.account_id = a.id AND m.joined_at IS NOT NULL)"
)
ACCOUNT = f"{_COLUMNS}, {_MEMBERSHIPS} AS memberships"
_KEY_COLUMNS = "id, account_id, name, tail, created_at, expires_at, scope, last_used_at"
_WHERE_VALID = (
    "JOIN tokens t ON t.account_id = a.id"
    " WHERE t.hash = ? AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ?)"
)
_HOLDER = f"SELECT {ACCOUNT}, t.scope, t.id AS token_id, t.last_used_at, t.expires_at FROM accounts a {_WHERE_VALID}"

_WHERE_LINKED = (
    "JOIN login_links l ON l.account_id = a.id WHERE l.hash = ? AND l.used_at IS NULL AND l.expires_at > ?"
)
_WHERE_SIGNED_IN = "JOIN sessions s ON s.account_id = a.id WHERE s.hash = ? AND s.expires_at > ?"


@dataclass(frozen=True, slots=True)
class SqlAccounts:
    """The accounts service's store over the platform's database."""

    database: Database
    _holders: Remembered[bytes, tuple[Holder, int | None]] = field(
        default_factory=lambda: Remembered(most=1024)
    )
    """By the token's hash, with when it expires."""

    async def add(self, account: NewAccount) -> Account:
        """Keep a new account. Raises NameTakenError."""
        return await self.database.write(lambda db: insert_account(db, account))

    async def close(self, account_id: int, now: datetime) -> None:
        """Delete an account with what is its own. Raises BelongingsLeftError."""
        await self.database.write(lambda db: close(db, account_id, now))

    async def by_id(self, account_id: int) -> Account | None:
        """Return the account, or None."""
        return await self._one("WHERE a.id = ? AND a.deleted_at IS NULL", account_id)

    async def by_username(self, username: str) -> Account | None:
        """Return the account of that name, or None."""
        return await self._one("WHERE a.username = ? AND a.deleted_at IS NULL", username)

    async def password_of(self, username: str) -> tuple[Account, str | None] | None:
        """Return the account and its password's hash."""
        sql = f"SELECT {ACCOUNT}, a.password FROM accounts a WHERE a.username = ?"
        row = await self.database.read(lambda db: db.execute(sql, (username,)).fetchone())
        return None if row is None else (account_of(row), row["password"])

    async def set_password(self, account_id: int, password_hash: str) -> None:
        """Replace the password's hash, and end the account's sessions: whoever knew the old one is out."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("UPDATE accounts SET password = ? WHERE id = ?", (password_hash, account_id))
            db.execute("DELETE FROM sessions WHERE account_id = ?", (account_id,))

        await self.database.write(work)

    async def any_account(self) -> bool:
        """Whether there is an account at all."""
        row = await self.database.read(
            lambda db: db.execute("SELECT 1 FROM accounts WHERE deleted_at IS NULL LIMIT 1").fetchone()
        )
        return row is not None

    async def all(self) -> tuple[Account, ...]:
        """Return every account, by name."""
        sql = f"SELECT {ACCOUNT} FROM accounts a WHERE a.deleted_at IS NULL ORDER BY a.username"
        rows = await self.database.read(lambda db: db.execute(sql).fetchall())
        return tuple(account_of(row) for row in rows)

    async def webhook_secret(self, account_id: int, fresh: str, now: datetime) -> str:
        """Return the account's signing secret, making `fresh` it when there is none."""
        select = "SELECT secret FROM webhook_secrets WHERE account_id = ?"
        insert = "INSERT OR IGNORE INTO webhook_secrets (account_id, secret, created_at) VALUES (?, ?, ?)"
        row = await self.database.read(lambda db: db.execute(select, (account_id,)).fetchone())
        if row is not None:
            return str(row[0])

        def work(db: sqlite3.Connection) -> str:
            db.execute(insert, (account_id, fresh, stored(now)))
            return str(db.execute(select, (account_id,)).fetchone()[0])

        return await self.database.write(work)

    async def rotate_webhook_secret(self, account_id: int, fresh: str, now: datetime) -> None:
        """Make `fresh` the account's signing secret, and remember the one before."""
        sql = (
            "INSERT INTO webhook_secrets (account_id, secret, created_at) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (account_id) DO UPDATE SET previous = secret, secret = ?2, rotated_at = ?3"
        )
        await self.database.write(run(sql, account_id, fresh, stored(now)))

    async def previous_webhook_secret(self, account_id: int, since: datetime) -> str | None:
        """Return the secret that was replaced after `since`."""
        sql = "SELECT previous FROM webhook_secrets WHERE account_id = ? AND rotated_at > ?"
        values = (account_id, stored(since))
        row = await self.database.read(lambda db: db.execute(sql, values).fetchone())
        return None if row is None else row[0]

    async def add_token(self, token: NewToken) -> ApiToken:
        """Keep a token."""
        sql = (
            "INSERT INTO tokens (account_id, name, hash, tail, created_at, expires_at, scope)"
            f" VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING {_KEY_COLUMNS}"
        )
        values = (
            *(token.account_id, token.name, token.hash, token.tail),
            *(stored(token.created_at), stored(token.expires_at), token.scope.value),
        )
        return token_of(await self.database.write(lambda db: db.execute(sql, values).fetchone()))

    async def holder_of_token(self, hash: bytes, now: datetime) -> Holder | None:
        """Return whose valid token this is."""
        at = stored(now)

        def read(db: sqlite3.Connection) -> tuple[Holder, int | None] | None:
            row = db.execute(_HOLDER, (hash, at)).fetchone()
            return None if row is None else (holder_of(row), row["expires_at"])

        found = self.database.look(
            lambda db: self._holders.find(self.database.changes.number(db), hash, lambda: read(db))
        )
        if found is None or (found[1] is not None and found[1] <= at):
            return None
        return found[0]

    async def note_use(self, token_id: int, now: datetime) -> None:
        """Keep when a token was used."""
        await self.database.write(
            run("UPDATE tokens SET last_used_at = ? WHERE id = ?", stored(now), token_id), quick=True
        )
        # It is no right, so it is not counted as a change.
        self._holders.forget()

    async def tokens(self, account_id: int) -> tuple[ApiToken, ...]:
        """Return an account's tokens that are not revoked, newest first."""
        sql = (
            f"SELECT {_KEY_COLUMNS} FROM tokens WHERE account_id = ? AND revoked_at IS NULL ORDER BY id DESC"
        )
        rows = await self.database.read(lambda db: db.execute(sql, (account_id,)).fetchall())
        return tuple(token_of(row) for row in rows)

    async def revoke_token(self, account_id: int, token_id: int, now: datetime) -> bool:
        """End a token of that account."""
        sql = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND account_id = ? AND revoked_at IS NULL"
        values = (stored(now), token_id, account_id)
        return await self.database.write(lambda db: db.execute(sql, values).rowcount == 1)

    async def add_login_link(self, hash: bytes, account_id: int, now: datetime, expires_at: datetime) -> None:
        """Keep a one-time link, and forget those that have expired."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM login_links WHERE expires_at < ?", (stored(now),))
            db.execute(
                "INSERT INTO login_links (hash, account_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
                (hash, account_id, stored(now), stored(expires_at)),
            )

        await self.database.write(work)

    async def account_of_login_link(self, hash: bytes, now: datetime) -> Account | None:
        """Return whom a link would sign in; looking uses nothing up."""
        return await self._one(_WHERE_LINKED, hash, stored(now))

    async def use_login_link(self, hash: bytes, now: datetime) -> Account | None:
        """Use a link up; the update is what makes it once."""

        def work(db: sqlite3.Connection) -> Account | None:
            found = db.execute(
                "UPDATE login_links SET used_at = ?1 WHERE hash = ?2 AND used_at IS NULL AND expires_at > ?1"
                " RETURNING account_id",
                (stored(now), hash),
            ).fetchone()
            if found is None:
                return None
            sql = f"SELECT {ACCOUNT} FROM accounts a WHERE a.id = ?"
            return account_of(db.execute(sql, (found[0],)).fetchone())

        return await self.database.write(work)

    async def add_session(self, session: NewSession, *, most: int) -> None:
        """Keep a session, and forget those that have expired and the account's oldest."""
        surplus = (
            "DELETE FROM sessions WHERE hash IN"
            " (SELECT hash FROM sessions WHERE account_id = ? ORDER BY created_at DESC LIMIT -1 OFFSET ?)"
        )
        created, expires = stored(session.created_at), stored(session.expires_at)

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM sessions WHERE expires_at <= ?", (created,))
            db.execute(surplus, (session.account_id, most - 1))
            db.execute(
                "INSERT INTO sessions (hash, account_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
                (session.hash, session.account_id, created, expires),
            )

        await self.database.write(work)

    async def account_of_session(self, hash: bytes, now: datetime) -> Account | None:
        """Return whose session this is."""
        return await self._one(_WHERE_SIGNED_IN, hash, stored(now))

    async def end_session(self, hash: bytes) -> bool:
        """End a session."""
        sql = "DELETE FROM sessions WHERE hash = ?"
        return await self.database.write(lambda db: db.execute(sql, (hash,)).rowcount == 1)

    async def _one(self, where: str, *values: object) -> Account | None:
        sql = f"SELECT {ACCOUNT} FROM accounts a {where}"
        row = await self.database.read(lambda db: db.execute(sql, values).fetchone())
        return None if row is None else account_of(row)


def insert_account(db: sqlite3.Connection, account: NewAccount) -> Account:
    """Write the row of a new account and return what it is. Raises NameTakenError."""
    try:
        row = db.execute(
            "INSERT INTO accounts (username, name, type, is_admin, password, created_at)"
            f" VALUES (?, ?, ?, ?, ?, ?) RETURNING {_COLUMNS.replace('a.', '')}, '[]' AS memberships",
            (
                *(account.username, account.name, account.type, account.is_admin),
                *(account.password_hash, stored(account.created_at)),
            ),
        ).fetchone()
    except sqlite3.IntegrityError as error:
        raise NameTakenError(account.username) from error
    return account_of(row)


def holder_of(row: sqlite3.Row) -> Holder:
    """Make a token's holder of a row of `_HOLDER`."""
    return Holder(
        account=account_of(row),
        scope=Scope(row["scope"]),
        token_id=row["token_id"],
        last_used_at=moment(row["last_used_at"]),
    )


def account_of(row: sqlite3.Row) -> Account:
    """Make an account of a row of `accounts`, read as `ACCOUNT`.

    An organization's is what its tokens act as: they reach as far as a writer, and never to who is a member.
    """
    return Account(
        id=row["id"],
        username=row["username"],
        name=row["name"],
        type=row["type"],
        is_admin=bool(row["is_admin"]),
        created_at=moment(row["created_at"]),
        avatar_url=row["avatar_url"],
        github_url=row["github_url"],
        memberships=_memberships(row["memberships"]),
        role=Role.OWNER if row["type"] == "user" else Role.WRITER,
    )


def _memberships(text: str) -> tuple[Membership, ...]:
    if text == "[]":
        return ()
    found = (
        Membership(organization=name, organization_id=key, role=Role(role))
        for name, key, role in from_json(text)
    )
    return tuple(sorted(found, key=lambda each: each.organization))


def token_of(row: sqlite3.Row) -> ApiToken:
    """Make a token of a row of `tokens`."""
    return ApiToken(
        id=row["id"],
        account_id=row["account_id"],
        name=row["name"],
        tail=row["tail"],
        created_at=moment(row["created_at"]),
        expires_at=moment(row["expires_at"]),
        scope=Scope(row["scope"]),
        last_used_at=moment(row["last_used_at"]),
    )
