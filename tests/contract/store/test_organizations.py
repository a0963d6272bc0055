"""What every store of organizations and members promises, and what letting an account go does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cogyard.domain.paging import Window
from cogyard.domain.roles import Membership, Role
from cogyard.domain.values import Account, Prediction, Status, StoredFile, Visibility
from cogyard.features.accounts.ports import BelongingsLeftError, NameTakenError, NewSession, NewToken
from cogyard.features.models.ports import NewModel
from cogyard.features.organizations.ports import Decide, Member, Standing
from cogyard.features.predictions.ports import Asked, Change, Ticket

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio

INVITED = Standing(role=Role.WRITER, invited_at=NOW)
JOINED = replace(INVITED, joined_at=NOW + timedelta(minutes=1))


def _to(standing: Standing | None) -> Decide:
    return lambda _members: standing


async def test_an_organization_has_its_founder_as_its_owner(stores: Stores) -> None:
    """It is an account like others, and the founder belongs to it at once; its name is taken."""
    ann = await stores.account("ann")
    acme = await stores.organization("acme", ann)
    assert (acme.type, acme.role, acme.memberships) == ("organization", Role.WRITER, ())
    assert await stores.accounts.by_username("ACME") == acme
    (owner,) = await stores.organizations.members(acme.id)
    assert (owner.username, owner.role, owner.joined) == ("ann", Role.OWNER, True)
    found = await stores.accounts.by_id(ann.id)
    assert found is not None
    assert found.memberships == (Membership(organization="acme", organization_id=acme.id, role=Role.OWNER),)
    for name in ("Acme", "ann"):
        with pytest.raises(NameTakenError):
            await stores.organization(name, ann)
    await stores.organizations.rename(acme.id, "Acme Corp")
    assert await stores.accounts.by_id(acme.id) == replace(acme, name="Acme Corp")


async def test_whoever_is_invited_belongs_nowhere_until_they_join(stores: Stores) -> None:
    """Every way in tells the same of where an account belongs, and from the next look on."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    acme = await stores.organization("acme", ann)
    token = NewToken(account_id=bob.id, name="t", hash=b"t", tail="abcd", created_at=NOW)
    await stores.accounts.add_token(token)
    session = NewSession(account_id=bob.id, hash=b"s", created_at=NOW, expires_at=NOW + timedelta(hours=1))
    await stores.accounts.add_session(session, most=9)
    await stores.accounts.set_password(ann.id, "hash")

    async def looked() -> list[Account]:
        holder = await stores.accounts.holder_of_token(b"t", NOW)
        signed_in = await stores.accounts.account_of_session(b"s", NOW)
        named = await stores.accounts.password_of("bob")
        assert holder is not None
        assert signed_in is not None
        assert named is not None
        listed = next(each for each in await stores.accounts.all() if each.id == bob.id)
        return [holder.account, signed_in, named[0], listed]

    here = (Membership(organization="acme", organization_id=acme.id, role=Role.WRITER),)
    for standing, expected in ((INVITED, ()), (JOINED, here), (None, ())):
        assert await stores.organizations.change(acme.id, bob.id, _to(standing)) == standing
        assert [each.memberships for each in await looked()] == [expected] * 4


async def test_members_and_belongings_are_two_sides_of_one_thing(stores: Stores) -> None:
    """By name, with who invited whom."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    acme, zoo = await stores.organization("acme", ann), await stores.organization("zoo", bob)
    invited = replace(INVITED, invited_by=ann.id)
    await stores.organizations.change(acme.id, bob.id, _to(invited))
    assert [each.username for each in await stores.organizations.members(acme.id)] == ["ann", "bob"]
    found = await stores.organizations.of_account(bob.id)
    assert [(each.organization.id, each.standing.role, each.invited_by) for each in found] == [
        (acme.id, Role.WRITER, "ann"),
        (zoo.id, Role.OWNER, None),
    ]
    assert found[0].standing == invited
    # A later role and joining are kept; who invited stays.
    await stores.organizations.change(acme.id, bob.id, _to(replace(JOINED, role=Role.READER)))
    assert (await stores.organizations.members(acme.id))[1].role is Role.READER


async def test_a_decision_sees_all_members_and_may_refuse(stores: Stores) -> None:
    """What it raises is raised, and nothing has changed."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    acme = await stores.organization("acme", ann)
    await stores.organizations.change(acme.id, bob.id, _to(JOINED))
    seen: list[str] = []

    def refuse(members: tuple[Member, ...]) -> Standing | None:
        seen.extend(each.username for each in members)
        raise LookupError

    with pytest.raises(LookupError):
        await stores.organizations.change(acme.id, ann.id, refuse)
    assert seen == ["ann", "bob"]
    assert len(await stores.organizations.members(acme.id)) == 2


async def test_search_finds_what_is_private_to_ones_organizations(stores: Stores) -> None:
    """By the numbers of all accounts that a viewer reaches."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    acme = await stores.organization("acme", ann)
    await stores.models.add(_model(acme))
    for viewers, found in (((), 0), ((bob.id,), 0), ((bob.id, acme.id), 1)):
        assert len(await stores.models.search(("hidden",), viewers=viewers, limit=9)) == found


async def test_an_account_that_goes_takes_what_is_its_own(stores: Stores) -> None:
    """Tokens, sessions, links, memberships, predictions; its files are over; its name is free; others keep theirs."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    acme = await stores.organization("acme", ann)
    await stores.organizations.change(acme.id, bob.id, _to(JOINED))
    await stores.accounts.add_token(
        NewToken(account_id=bob.id, name="t", hash=b"t", tail="abcd", created_at=NOW)
    )
    later = NOW + timedelta(hours=1)
    session = NewSession(account_id=bob.id, hash=b"s", created_at=NOW, expires_at=later)
    await stores.accounts.add_session(session, most=9)
    await stores.accounts.add_login_link(b"l", bob.id, NOW, later)
    for account, key in ((bob, "b"), (ann, "a")):
        await _ended(stores, account, key * 26)
    await _ended(stores, acme, "c" * 26, asked_by="bob")
    await stores.accounts.close(bob.id, NOW)
    # Nor by the name under which a store may keep what still points there: nobody invites what is gone.
    assert await stores.accounts.by_username(f"~{bob.id}") is None
    assert await stores.accounts.by_id(bob.id) is None
    assert await stores.accounts.by_username("bob") is None
    assert [each.username for each in await stores.accounts.all()] == ["acme", "ann"]
    assert await stores.accounts.holder_of_token(b"t", NOW) is None
    assert await stores.accounts.account_of_session(b"s", NOW) is None
    assert await stores.accounts.use_login_link(b"l", NOW) is None
    assert [each.username for each in await stores.organizations.members(acme.id)] == ["ann"]
    assert await stores.predictions.get("b" * 26) is None
    assert await stores.predictions.get("a" * 26) is not None
    of_acme = await stores.predictions.get("c" * 26)
    assert of_acme is not None
    assert of_acme.prediction.asked_by is None
    again = await stores.account("bob")
    assert again.id != bob.id
    assert (await stores.predictions.list(Asked(account_id=again.id), Window(limit=9))).items == ()


@pytest.mark.parametrize("left", ["model", "prediction", "organization", "platform"])
async def test_an_account_that_others_need_stays(stores: Stores, left: str) -> None:
    """With models, with what waits, as an organization's last owner, as the last administrator; whole as it was."""
    ann = await stores.account("ann", is_admin=left == "platform")
    if left == "model":
        await stores.models.add(_model(ann))
    elif left == "prediction":
        await stores.predictions.add(_prediction(ann, "a" * 26), Ticket(deployable="d"))
    elif left == "organization":
        acme = await stores.organization("acme", ann)
        bob = await stores.account("bob")
        await stores.organizations.change(acme.id, bob.id, _to(replace(INVITED, role=Role.OWNER)))
    with pytest.raises(BelongingsLeftError, match=r"\w"):
        await stores.accounts.close(ann.id, NOW)
    assert await stores.accounts.by_username("ann") is not None
    if left == "organization":
        await stores.organizations.change(acme.id, bob.id, _to(replace(JOINED, role=Role.OWNER)))
        await stores.accounts.close(ann.id, NOW)
        assert await stores.accounts.by_username("ann") is None


def _model(owner: Account) -> NewModel:
    return NewModel(
        owner_id=owner.id, name="hidden", visibility=Visibility.PRIVATE, hardware="cpu", created_at=NOW
    )


def _prediction(account: Account, key: str, **more: Any) -> Prediction:
    return Prediction(
        **{
            "id": key,
            "model": "ann/m",
            "version": "a" * 64,
            "account_id": account.id,
            "status": Status.STARTING,
            "input": {},
            "created_at": NOW,
            "stream_token": key,
            **more,
        }
    )


async def _ended(stores: Stores, account: Account, key: str, **more: Any) -> None:
    await stores.predictions.add(_prediction(account, key, **more), Ticket(deployable="d"))
    ended = _prediction(account, key, status=Status.SUCCEEDED, completed_at=NOW, **more)
    await stores.predictions.change(key, lambda _record: Change(prediction=ended, ticket=None))
    await stores.files.add(
        StoredFile(
            id=key,
            account_id=account.id,
            token=key,
            name="a",
            content_type="text/plain",
            size=1,
            sha256=key,
            md5=key,
            created_at=NOW,
            prediction_id=key,
        )
    )
