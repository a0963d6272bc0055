"""Organizations: made by whoever has an account, seen by their members, run by their admins and owners."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cogyard.domain.names import username_problem
from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.accounts.ports import (
    AccountStore,
    BelongingsLeftError,
    ClosingStore,
    NameTakenError,
    NewAccount,
)
from cogyard.features.organizations import policy
from cogyard.features.organizations.ports import Belonging, Member, Standing, Store
from cogyard.features.world import World
from cogyard.http.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

NAME_LIMIT = 200
#: Organizations that one person owns: each takes a name from everybody.
MOST_OWNED = 100


@dataclass(frozen=True, kw_only=True)
class Organizations:
    """Callers are people: of whom is no member an organization knows nothing, except a platform's administrators."""

    store: Store
    accounts: AccountStore
    closing: ClosingStore
    world: World = field(default_factory=World)
    anyone_founds: bool = True
    """Whether everybody makes organizations, or the platform's administrators alone."""

    async def create(self, caller: Account, username: str, *, name: str = "") -> Account:
        """Make an organization that the caller owns. Raises InvalidError, ConflictError, ForbiddenError."""
        _require_person(caller)
        if not self.anyone_founds and not caller.is_admin:
            raise ForbiddenError("Only an administrator of this platform makes organizations. Ask one.")
        if (problem := username_problem(username)) is not None:
            raise InvalidError(problem, problems=[("username", problem)])
        owned = sum(each.role is Role.OWNER for each in caller.memberships)
        if owned >= MOST_OWNED and not caller.is_admin:
            raise ConflictError(f"You own {owned} organizations; at most {MOST_OWNED} are allowed.")
        new = NewAccount(
            username=username,
            name=_name(name) or username,
            type="organization",
            is_admin=False,
            password_hash=None,
            created_at=self.world.now(),
        )
        try:
            made = await self.store.found(new, caller.id)
        except NameTakenError as error:
            what = f"The name {username} is taken."
            raise ConflictError(what) from error
        return replace(made, role=Role.OWNER)

    async def mine(self, caller: Account) -> tuple[Belonging, ...]:
        """Return where the caller is a member or invited, by name."""
        return await self.store.of_account(caller.id)

    async def get(self, caller: Account | None, name: str) -> Account:
        """Return an organization; its `role` is the caller's in it. Raises NotFoundError for who is no member."""
        role = self.role(caller, name)
        found = await self.accounts.by_username(name) if role is not None else None
        if role is None or found is None or found.type != "organization":
            raise NotFoundError
        return replace(found, role=role)

    def role(self, caller: Account | None, name: str) -> Role | None:
        """Return what the caller may do there: administrators of the platform all; None for who is no member."""
        if caller is None:
            return None
        return Role.OWNER if caller.is_admin else caller.role_in(name)

    async def rename(self, caller: Account, name: str, shown: str) -> Account:
        """Change the name that is shown; it takes an admin. Raises NotFoundError, ForbiddenError."""
        found = await self._governed(caller, name, Role.ADMIN, "rename it")
        await self.store.rename(found.id, _name(shown) or found.username)
        return await self.get(caller, name)

    async def delete(self, caller: Account, name: str) -> None:
        """Delete an organization that has nothing left; it takes an owner.

        Its predictions and files go with it. Raises NotFoundError, ForbiddenError, ConflictError.
        """
        found = await self._governed(caller, name, Role.OWNER, "delete it")
        try:
            await self.closing.close(found.id, self.world.now())
        except BelongingsLeftError as error:
            raise ConflictError(f"{found.username} cannot be deleted: {error}") from error

    async def members(self, caller: Account, name: str) -> tuple[Member, ...]:
        """Return members and invited ones, by name, to a member. Raises NotFoundError."""
        return await self.store.members((await self.get(caller, name)).id)

    async def may_act(self, caller: Account, name: str) -> bool:
        """Whether the caller is a member there; being an administrator of the platform is not enough."""
        return caller.role_in(name) is not None and await self.accounts.by_username(name) is not None

    async def put_member(
        self, caller: Account, name: str, username: str, role: Role, *, at_once: bool = False
    ) -> Member:
        """Invite somebody, or change a member's role. `at_once` asks nobody: for the operator's commands.

        Raises NotFoundError, InvalidError for who has no account, ForbiddenError, ConflictError.
        """
        organization = await self.get(caller, name)
        someone = await self.accounts.by_username(username)
        if someone is None or someone.type != "user":
            what = f"There is no person with the account {username[:40]!r}."
            raise InvalidError(f"username: {what}", problems=[("username", what)])
        now = self.world.now()

        def decide(members: tuple[Member, ...]) -> Standing:
            found = policy.put(
                members, someone.username, role, by=organization.role, at=now, by_id=caller.id or None
            )
            return replace(found, joined_at=found.joined_at or now) if at_once else found

        standing = await self.store.change(organization.id, someone.id, decide)
        if standing is None:
            raise NotFoundError
        return Member(account_id=someone.id, username=someone.username, name=someone.name, standing=standing)

    async def remove_member(self, caller: Account, name: str, username: str) -> None:
        """Let a member go, oneself too, or take an invitation back or decline it; it counts from the next request on.

        Raises NotFoundError, ForbiddenError, ConflictError for the last owner.
        """
        oneself = caller.type == "user" and caller.username.lower() == username.lower()
        role = self.role(caller, name)
        organization = await self.accounts.by_username(name) if role is not None or oneself else None
        if organization is None or organization.type != "organization":
            raise NotFoundError
        someone = await self.accounts.by_username(username)
        await self.store.change(
            organization.id,
            # Who has no account is no member either: the decision says so, to those who may ask.
            0 if someone is None else someone.id,
            lambda members: policy.removed(members, username, by=role, oneself=oneself),
        )

    async def join(self, caller: Account, name: str) -> Account:
        """Accept an invitation. Raises NotFoundError for who has none."""
        organization = await self.accounts.by_username(name)
        if caller.type != "user" or organization is None or organization.type != "organization":
            raise NotFoundError
        now = self.world.now()
        standing = await self.store.change(
            organization.id, caller.id, lambda members: policy.joined(members, caller.username, at=now)
        )
        if standing is None:
            raise NotFoundError
        return replace(organization, role=standing.role)

    async def _governed(self, caller: Account, name: str, needed: Role, what: str) -> Account:
        found = await self.get(caller, name)
        if not found.role.covers(needed):
            raise ForbiddenError(
                f"As a {found.role} of {found.username} you may not {what}; it takes an {needed}."
            )
        return found


def _require_person(caller: Account) -> None:
    if caller.type != "user":
        raise ForbiddenError(
            f"{caller.username} is an organization; only a person makes one. Use a token of your own."
        )


def _name(text: str) -> str:
    return " ".join(text.split())[:NAME_LIMIT]
