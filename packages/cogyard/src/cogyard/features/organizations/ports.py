"""What the organizations service asks of whoever keeps organizations and their members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.accounts.ports import NewAccount


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What somebody is to an organization. Without `joined_at` it is an invitation, which lets nobody in."""

    role: Role
    invited_at: datetime
    invited_by: int | None = None
    joined_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """Somebody who belongs to an organization, or is invited to."""

    account_id: int
    username: str
    name: str
    standing: Standing

    @property
    def role(self) -> Role:
        """How far they reach, or will."""
        return self.standing.role

    @property
    def joined(self) -> bool:
        """Whether they belong to it already."""
        return self.standing.joined_at is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Belonging:
    """An organization, as one of its members or of those who are invited sees it."""

    organization: Account
    standing: Standing
    invited_by: str | None = None
    """The name of who invited them, if it still has one."""


#: Decides from all that an organization has what an account is to it from now on; None is nothing.
Decide = Callable[[tuple[Member, ...]], Standing | None]


class OrganizationStore(Protocol):
    """Keeps organizations, which are accounts."""

    async def found(self, new: NewAccount, founder_id: int) -> Account:
        """Keep a new organization with its first owner, in one step. Raises NameTakenError."""
        ...

    async def rename(self, organization_id: int, name: str) -> None:
        """Change the name that is shown."""
        ...


class MemberStore(Protocol):
    """Keeps who belongs where."""

    async def members(self, organization_id: int) -> tuple[Member, ...]:
        """Return members and invited ones, by name."""
        ...

    async def of_account(self, account_id: int) -> tuple[Belonging, ...]:
        """Return where an account belongs or is invited to, by name."""
        ...

    async def change(self, organization_id: int, account_id: int, decide: Decide) -> Standing | None:
        """Read the members, decide, and write, in one step: no two decisions are taken at once.

        What `decide` raises is raised, and nothing is changed.
        """
        ...


class Store(OrganizationStore, MemberStore, Protocol):
    """Both."""
