"""Organizations in memory, for tests without a database."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.organizations.ports import Belonging, Decide, Member, Standing
from cogyard.testing.accounts import MemoryAccounts


@dataclass
class MemoryOrganizations:
    """Keeps the promises of `cogyard.features.organizations.ports.Store`; members are with their accounts."""

    accounts: MemoryAccounts

    async def found(self, new: NewAccount, founder_id: int) -> Account:
        """Keep a new organization with its first owner."""
        made, at = await self.accounts.add(new), new.created_at
        self.accounts.members[made.id, founder_id] = Standing(role=Role.OWNER, invited_at=at, joined_at=at)
        return made

    async def rename(self, organization_id: int, name: str) -> None:
        """Change the name that is shown."""
        for key, account in self.accounts.accounts.items():
            if account.id == organization_id:
                self.accounts.accounts[key] = replace(account, name=name)

    async def members(self, organization_id: int) -> tuple[Member, ...]:
        """Return members and invited ones, by name."""
        found = [
            Member(account_id=each.id, username=each.username, name=each.name, standing=standing)
            for (key, account_id), standing in self.accounts.members.items()
            for each in self.accounts.accounts.values()
            if key == organization_id and each.id == account_id
        ]
        return tuple(sorted(found, key=lambda each: each.username))

    async def of_account(self, account_id: int) -> tuple[Belonging, ...]:
        """Return where an account belongs or is invited to, by name."""
        names = {each.id: each.username for each in self.accounts.accounts.values()}
        found = [
            Belonging(organization=each, standing=standing, invited_by=names.get(standing.invited_by or 0))
            for (key, member), standing in self.accounts.members.items()
            for each in self.accounts.accounts.values()
            if member == account_id and each.id == key
        ]
        return tuple(sorted(found, key=lambda each: each.organization.username))

    async def change(self, organization_id: int, account_id: int, decide: Decide) -> Standing | None:
        """Read the members, decide, and write."""
        standing = decide(await self.members(organization_id))
        if standing is None:
            self.accounts.members.pop((organization_id, account_id), None)
        else:
            self.accounts.members[organization_id, account_id] = standing
        return standing
