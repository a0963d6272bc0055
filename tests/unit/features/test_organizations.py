"""Organizations over memory: who is invited, who decides about whom, and that somebody always owns one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.accounts.service import Accounts
from cogyard.features.organizations import policy
from cogyard.features.organizations.ports import Member, Standing
from cogyard.features.organizations.service import MOST_OWNED, Organizations
from cogyard.features.world import World
from cogyard.http.errors import ApiError, ConflictError, ForbiddenError, InvalidError, NotFoundError
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.organizations import MemoryOrganizations

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class Scene:
    """Organizations and accounts over memory."""

    accounts: Accounts
    organizations: Organizations

    async def person(self, name: str) -> Account:
        """Return somebody as of now, made when they are not there."""
        return await self.accounts.get(name) or await self.accounts.create(name, name=name.title())

    async def member(self, name: str, role: Role) -> Account:
        """Let the owner, ann, invite somebody who accepts."""
        await self.organizations.put_member(
            await self.person("ann"), "acme", (await self.person(name)).username, role
        )
        await self.organizations.join(await self.person(name), "acme")
        return await self.person(name)

    async def roles(self) -> dict[str, str]:
        """Return what everybody is, with a question mark where they have not joined."""
        found = await self.organizations.members(await self.person("ann"), "acme")
        return {each.username: each.role + "?" * (not each.joined) for each in found}


@pytest.fixture
async def scene() -> Scene:
    """Return a scene where ann owns acme."""
    store, world = MemoryAccounts(), World(now=lambda: NOW)
    accounts = Accounts(store=store, world=world)
    found = Scene(
        accounts=accounts,
        organizations=Organizations(
            store=MemoryOrganizations(store), accounts=store, closing=store, world=world
        ),
    )
    await found.organizations.create(await found.person("ann"), "acme", name="  Acme  Corp ")
    return found


async def test_whoever_has_an_account_makes_an_organization(scene: Scene) -> None:
    """Its name is as an account's; an organization makes none, and nobody takes all names."""
    ann = await scene.person("ann")
    assert (await scene.organizations.get(ann, "ACME")).name == "Acme Corp"
    for bad, error in (("Bad Name", InvalidError), ("organizations", InvalidError), ("ann", ConflictError)):
        with pytest.raises(error):
            await scene.organizations.create(ann, bad)
    with pytest.raises(ForbiddenError, match="only a person"):
        await scene.organizations.create(await scene.organizations.get(ann, "acme"), "other")
    many = replace(ann, memberships=ann.memberships * MOST_OWNED)
    with pytest.raises(ConflictError, match="at most 100"):
        await scene.organizations.create(many, "one-more")
    await scene.organizations.create(replace(many, is_admin=True), "one-more")


async def test_an_operator_may_keep_organizations_to_administrators(scene: Scene) -> None:
    """Others are told whom to ask; who has one keeps it."""
    strict = replace(scene.organizations, anyone_founds=False)
    ann = await scene.person("ann")
    with pytest.raises(ForbiddenError, match="administrator"):
        await strict.create(ann, "second")
    await strict.create(replace(await scene.person("bob"), is_admin=True), "second")
    assert (await strict.get(ann, "acme")).role is Role.OWNER


async def test_an_invitation_lets_nobody_in_until_it_is_accepted(scene: Scene) -> None:
    """Then one belongs; who is not invited cannot join, and declining is leaving."""
    ann, bob = await scene.person("ann"), await scene.person("bob")
    for absent in ("acme", "nowhere", "ann"):
        with pytest.raises(NotFoundError):
            await scene.organizations.join(bob, absent)
    await scene.organizations.put_member(ann, "acme", "BOB", Role.WRITER)
    (invitation,) = await scene.organizations.mine(bob)
    assert (invitation.organization.username, invitation.invited_by) == ("acme", "ann")
    with pytest.raises(NotFoundError):
        await scene.organizations.get(await scene.person("bob"), "acme")
    assert await scene.roles() == {"ann": "owner", "bob": "writer?"}
    assert (await scene.organizations.join(bob, "acme")).role is Role.WRITER
    assert await scene.roles() == {"ann": "owner", "bob": "writer"}
    assert (await scene.organizations.get(await scene.person("bob"), "acme")).role is Role.WRITER
    await scene.organizations.put_member(ann, "acme", (await scene.person("eve")).username, Role.READER)
    await scene.organizations.remove_member(await scene.person("eve"), "acme", "eve")
    assert await scene.roles() == {"ann": "owner", "bob": "writer"}


async def test_only_people_with_an_account_are_invited(scene: Scene) -> None:
    """No organization, and nobody who is not there: the refusal names whom."""
    ann = await scene.person("ann")
    for name in ("acme", "nobody"):
        with pytest.raises(InvalidError, match=name):
            await scene.organizations.put_member(ann, "acme", name, Role.READER)


async def test_the_last_owner_stays_an_owner(scene: Scene) -> None:
    """They neither leave nor become less, and their account stays; whoever is only invited as an owner is none."""
    ann = await scene.person("ann")
    await scene.organizations.put_member(ann, "acme", (await scene.person("bob")).username, Role.OWNER)
    for refused in (
        lambda: scene.organizations.remove_member(ann, "acme", "ann"),
        lambda: scene.organizations.put_member(ann, "acme", "ann", Role.ADMIN),
    ):
        with pytest.raises(ConflictError, match="nobody else owns"):
            await refused()
    with pytest.raises(ConflictError, match="nobody else owns acme"):
        await scene.accounts.close(await scene.person("ann"))
    await scene.organizations.join(await scene.person("bob"), "acme")
    await scene.organizations.put_member(ann, "acme", "ann", Role.READER)
    with pytest.raises(ConflictError):
        await scene.organizations.remove_member(await scene.person("bob"), "acme", "bob")
    await scene.organizations.remove_member(await scene.person("ann"), "acme", "ann")
    assert (await scene.organizations.mine(await scene.person("ann"))) == ()


async def test_outsiders_hear_nothing(scene: Scene) -> None:
    """Each question about an organization is answered as about one that is not there; the operator may all."""
    eve = await scene.person("eve")
    for name in ("acme", "absent"):
        for asked in (
            lambda name=name: scene.organizations.get(eve, name),
            lambda name=name: scene.organizations.members(eve, name),
            lambda name=name: scene.organizations.rename(eve, name, "x"),
            lambda name=name: scene.organizations.delete(eve, name),
            lambda name=name: scene.organizations.put_member(eve, name, "eve", Role.OWNER),
            lambda name=name: scene.organizations.remove_member(eve, name, "ann"),
            lambda name=name: scene.organizations.remove_member(eve, name, "eve"),
        ):
            with pytest.raises(NotFoundError):
                await asked()
    root = replace(eve, is_admin=True)
    assert (await scene.organizations.rename(root, "acme", "Renamed")).name == "Renamed"
    await scene.organizations.put_member(root, "acme", "eve", Role.OWNER, at_once=True)
    assert await scene.roles() == {"ann": "owner", "eve": "owner"}


@pytest.mark.parametrize(("by", "whom"), list(itertools.product(Role, Role)))
async def test_who_decides_about_whom(scene: Scene, by: Role, whom: Role) -> None:
    """The whole table: admins about all but owners, owners about all, others about themselves."""
    actor = await scene.member("actor", by)
    await scene.member("target", whom)
    may = by is Role.OWNER or (by is Role.ADMIN and whom is not Role.OWNER)

    async def allowed(role: Role | None) -> bool:
        try:
            if role is None:
                await scene.organizations.remove_member(actor, "acme", "target")
            else:
                await scene.organizations.put_member(actor, "acme", "target", role)
        except ForbiddenError:
            return False
        return True

    for role in Role:
        await scene.organizations.put_member(await scene.person("ann"), "acme", "target", whom)
        assert await allowed(role) is (may and (role is not Role.OWNER or by is Role.OWNER))
    await scene.organizations.put_member(await scene.person("ann"), "acme", "target", whom)
    assert await allowed(None) is may
    await scene.organizations.remove_member(actor, "acme", "actor")
    assert "actor" not in await scene.roles()


async def test_nobody_signs_in_as_an_organization(scene: Scene) -> None:
    """No password and no link; tokens are made by those who may, and act as a writer."""
    ann = await scene.person("ann")
    acme = await scene.organizations.get(ann, "acme")
    for refused in (
        lambda: scene.accounts.set_password(acme, "correct horse"),
        lambda: scene.accounts.create_login_link(acme),
    ):
        with pytest.raises(InvalidError, match="nobody signs in"):
            await refused()
    token = await scene.accounts.create_token(acme, "ci")
    holder = await scene.accounts.holder(token)
    assert holder is not None
    held = holder.account
    assert (held.username, held.role) == ("acme", Role.WRITER)
    for handled in (
        lambda: scene.accounts.create_token(held, "more"),
        lambda: scene.accounts.tokens(held),
        lambda: scene.accounts.revoke(held, 1),
        lambda: scene.accounts.rotate_webhook_secret(held),
    ):
        with pytest.raises(ForbiddenError, match="writer of acme"):
            await handled()


def _members(count: int) -> tuple[Member, ...]:
    standing = Standing(role=Role.OWNER, invited_at=NOW, joined_at=NOW)
    return tuple(Member(account_id=n, username=f"m{n}", name="", standing=standing) for n in range(count))


def test_an_organization_has_so_many_members() -> None:
    """Roles change all the same."""
    full = _members(policy.MOST_MEMBERS)
    with pytest.raises(ApiError, match="at most 1000"):
        policy.put(full, "more", Role.READER, by=Role.OWNER, at=NOW, by_id=1)
    assert policy.put(full, "m1", Role.READER, by=Role.OWNER, at=NOW, by_id=1).role is Role.READER
