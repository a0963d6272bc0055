"""What every store of accounts promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account
from cogyard.features.accounts.ports import Holder, NameTakenError, NewSession, NewToken

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio


def _token(account: Account, hash: bytes, **more: object) -> NewToken:
    return NewToken(
        account_id=account.id,
        name="t",
        hash=hash,
        tail="abcd",
        created_at=NOW,
        **more,  # type: ignore[arg-type] # the test's own fields
    )


async def test_accounts_are_found_whatever_their_case(stores: Stores) -> None:
    """Names differ by more than case, and times come back as they were."""
    assert not await stores.accounts.any_account()
    made = await stores.account("ann")
    assert made.created_at == NOW
    assert await stores.accounts.by_username("ANN") == made
    assert await stores.accounts.by_id(made.id) == made
    assert await stores.accounts.by_username("nobody") is None
    assert await stores.accounts.by_id(made.id + 1) is None
    assert await stores.accounts.any_account()
    with pytest.raises(NameTakenError):
        await stores.account("Ann")
    bob = await stores.account("Bob")
    assert await stores.accounts.all() == (made, bob)


async def test_passwords_are_kept_and_replaced(stores: Stores) -> None:
    """An account may have none."""
    made = await stores.account("ann")
    assert await stores.accounts.password_of("ann") == (made, None)
    await stores.accounts.set_password(made.id, "hash")
    assert await stores.accounts.password_of("Ann") == (made, "hash")
    assert await stores.accounts.password_of("bob") is None


async def test_when_a_token_was_used_is_kept(stores: Stores) -> None:
    """It is told with the token and with its holder; another token is as it was."""
    ann = await stores.account("ann")
    used = await stores.accounts.add_token(_token(ann, b"1"))
    idle = await stores.accounts.add_token(_token(ann, b"2"))
    assert (used.last_used_at, idle.last_used_at) == (None, None)
    await stores.accounts.note_use(used.id, NOW)
    found = {token.id: token.last_used_at for token in await stores.accounts.tokens(ann.id)}
    assert found == {used.id: NOW, idle.id: None}
    holder = await stores.accounts.holder_of_token(b"1", NOW)
    assert holder is not None
    assert holder.last_used_at == NOW


async def test_tokens_live_until_they_expire_or_are_revoked(stores: Stores) -> None:
    """Only their own account revokes them, once."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    first = await stores.accounts.add_token(_token(ann, b"1"))
    second = await stores.accounts.add_token(
        _token(ann, b"2", expires_at=NOW + timedelta(hours=1), scope=Scope.RUN)
    )
    assert await stores.accounts.holder_of_token(b"1", NOW) == Holder(
        account=ann, scope=Scope.WRITE, token_id=first.id
    )
    assert await stores.accounts.holder_of_token(b"2", NOW) == Holder(
        account=ann, scope=Scope.RUN, token_id=second.id
    )
    assert await stores.accounts.holder_of_token(b"2", NOW + timedelta(hours=1)) is None
    assert await stores.accounts.holder_of_token(b"3", NOW) is None
    assert await stores.accounts.tokens(ann.id) == (second, first)
    assert await stores.accounts.tokens(bob.id) == ()
    assert not await stores.accounts.revoke_token(bob.id, first.id, NOW)
    assert await stores.accounts.revoke_token(ann.id, first.id, NOW)
    assert not await stores.accounts.revoke_token(ann.id, first.id, NOW)
    assert await stores.accounts.holder_of_token(b"1", NOW) is None
    assert await stores.accounts.tokens(ann.id) == (second,)


async def test_a_login_link_works_once_and_in_time(stores: Stores) -> None:
    """Used, too old and unknown are the same; to look whose it is uses nothing up."""
    ann = await stores.account("ann")
    for hash_ in (b"1", b"2"):
        await stores.accounts.add_login_link(hash_, ann.id, NOW, NOW + timedelta(hours=1))
    assert await stores.accounts.account_of_login_link(b"1", NOW) == ann
    assert await stores.accounts.account_of_login_link(b"2", NOW + timedelta(hours=1)) is None
    assert await stores.accounts.account_of_login_link(b"3", NOW) is None
    assert await stores.accounts.use_login_link(b"1", NOW) == ann
    assert await stores.accounts.account_of_login_link(b"1", NOW) is None
    assert await stores.accounts.use_login_link(b"1", NOW) is None
    assert await stores.accounts.use_login_link(b"2", NOW + timedelta(hours=1)) is None
    assert await stores.accounts.use_login_link(b"3", NOW) is None


def _session(account: Account, hash: bytes, minutes: int = 0) -> NewSession:
    moment = NOW + timedelta(minutes=minutes)
    return NewSession(
        account_id=account.id, hash=hash, created_at=moment, expires_at=moment + timedelta(hours=1)
    )


async def test_a_session_lasts_until_it_is_ended_or_expires(stores: Stores) -> None:
    """Ending one leaves the others; unknown, ended and expired are the same."""
    ann = await stores.account("ann")
    for hash_ in (b"1", b"2"):
        await stores.accounts.add_session(_session(ann, hash_), most=9)
        assert await stores.accounts.account_of_session(hash_, NOW) == ann
    assert await stores.accounts.end_session(b"1")
    assert not await stores.accounts.end_session(b"1")
    assert await stores.accounts.account_of_session(b"1", NOW) is None
    assert await stores.accounts.account_of_session(b"2", NOW) == ann
    assert await stores.accounts.account_of_session(b"2", NOW + timedelta(hours=1)) is None
    assert await stores.accounts.account_of_session(b"3", NOW) is None


async def test_a_new_password_ends_the_accounts_sessions(stores: Stores) -> None:
    """All of them, and nobody else's."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    for account, hash_ in ((ann, b"1"), (ann, b"2"), (bob, b"3")):
        await stores.accounts.add_session(_session(account, hash_), most=9)
    await stores.accounts.set_password(ann.id, "hash")
    found = [await stores.accounts.account_of_session(hash_, NOW) for hash_ in (b"1", b"2", b"3")]
    assert found == [None, None, bob]


async def test_an_account_has_only_so_many_sessions(stores: Stores) -> None:
    """The oldest of the same account ends."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    await stores.accounts.add_session(_session(bob, b"b"), most=2)
    for minute, hash_ in enumerate((b"1", b"2", b"3")):
        await stores.accounts.add_session(_session(ann, hash_, minute), most=2)
    found = [await stores.accounts.account_of_session(hash_, NOW) for hash_ in (b"1", b"2", b"3", b"b")]
    assert found == [None, ann, ann, bob]


async def test_the_signing_secret_is_made_once(stores: Stores) -> None:
    """The first that is offered stays."""
    ann = await stores.account("ann")
    assert await stores.accounts.webhook_secret(ann.id, "one", NOW) == "one"
    assert await stores.accounts.webhook_secret(ann.id, "two", NOW) == "one"


async def test_a_rotated_secret_is_remembered_for_a_while(stores: Stores) -> None:
    """What was before it, as long as it was replaced after the moment that is asked about."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    assert await stores.accounts.webhook_secret(ann.id, "first", NOW) == "first"
    await stores.accounts.rotate_webhook_secret(ann.id, "second", NOW)
    assert await stores.accounts.webhook_secret(ann.id, "unused", NOW) == "second"
    assert await stores.accounts.previous_webhook_secret(ann.id, NOW - timedelta(days=1)) == "first"
    assert await stores.accounts.previous_webhook_secret(ann.id, NOW) is None
    await stores.accounts.rotate_webhook_secret(bob.id, "only", NOW)
    assert await stores.accounts.webhook_secret(bob.id, "unused", NOW) == "only"
    assert await stores.accounts.previous_webhook_secret(bob.id, NOW - timedelta(days=1)) is None
