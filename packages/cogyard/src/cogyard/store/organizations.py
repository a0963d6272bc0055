"""Organizations and their members in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.organizations.ports import Belonging, Decide, Member, Standing
from cogyard.store.accounts import ACCOUNT, account_of, insert_account
from cogyard.store.database import Database
from cogyard.store.rows import run
from cogyard.store.times import moment, stored

_STANDING = "m.role, m.invited_at, m.invited_by, m.joined_at"
_MEMBERS = (
    f"SELECT m.account_id, a.username, a.name, {_STANDING} FROM members m JOIN accounts a ON a.id = m.account_id"
    " WHERE m.organization_id = ? ORDER BY a.username"
)
_BELONGINGS = (
    f"SELECT {ACCOUNT}, {_STANDING}, b.username AS inviter FROM members m"
    " JOIN accounts a ON a.id = m.organization_id"
    " LEFT JOIN accounts b ON b.id = m.invited_by AND b.deleted_at IS NULL"
    " WHERE m.account_id = ? ORDER BY a.username"
)
_PUT = (
    "INSERT INTO members (organization_id, account_id, role, invited_at, invited_by, joined_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (organization_id, account_id) DO UPDATE SET role = excluded.role, joined_at = excluded.joined_at"
)
_DROP = "DELETE FROM members WHERE organization_id = ? AND account_id = ?"


@dataclass(frozen=True, slots=True)
class SqlOrganizations:
    """The organizations service's store over the platform's database."""

    database: Database

    async def found(self, new: NewAccount, founder_id: int) -> Account:
        """Keep a new organization with its first owner."""

        def work(db: sqlite3.Connection) -> Account:
            made = insert_account(db, new)
            at = stored(new.created_at)
            db.execute(_PUT, (made.id, founder_id, Role.OWNER.value, at, None, at))
            return made

        return await self.database.write(work)

    async def rename(self, organization_id: int, name: str) -> None:
        """Change the name that is shown."""
        await self.database.write(run("UPDATE accounts SET name = ? WHERE id = ?", name, organization_id))

    async def members(self, organization_id: int) -> tuple[Member, ...]:
        """Return members and invited ones, by name."""
        return await self.database.read(lambda db: _members(db, organization_id))

    async def of_account(self, account_id: int) -> tuple[Belonging, ...]:
        """Return where an account belongs or is invited to, by name."""
        rows = await self.database.read(lambda db: db.execute(_BELONGINGS, (account_id,)).fetchall())
        return tuple(
            Belonging(organization=account_of(row), standing=standing_of(row), invited_by=row["inviter"])
            for row in rows
        )

    async def change(self, organization_id: int, account_id: int, decide: Decide) -> Standing | None:
        """Read the members, decide, and write."""
        key = (organization_id, account_id)

        def work(db: sqlite3.Connection) -> Standing | None:
            standing = decide(_members(db, organization_id))
            if standing is None:
                db.execute(_DROP, key)
            else:
                times = (stored(standing.invited_at), standing.invited_by, stored(standing.joined_at))
                db.execute(_PUT, (*key, standing.role.value, *times))
            return standing

        return await self.database.write(work)


def _members(db: sqlite3.Connection, organization_id: int) -> tuple[Member, ...]:
    return tuple(
        Member(
            account_id=row["account_id"],
            username=row["username"],
            name=row["name"],
            standing=standing_of(row),
        )
        for row in db.execute(_MEMBERS, (organization_id,)).fetchall()
    )


def standing_of(row: sqlite3.Row) -> Standing:
    """Make a standing of a row of `members`."""
    return Standing(
        role=Role(row["role"]),
        invited_at=moment(row["invited_at"]),
        invited_by=row["invited_by"],
        joined_at=moment(row["joined_at"]),
    )
