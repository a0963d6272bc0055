"""What every store of accounts promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cogyard.domain.values import Account
from cogyard.features.accounts.ports import NameTakenError, NewToken

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


async def test_tokens_live_until_they_expire_or_are_revoked(stores: Stores) -> None:
    """Only their own account revokes them, once."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    first = await stores.accounts.add_token(_token(ann, b"1"))
    second = await stores.accounts.add_token(_token(ann, b"2", expires_at=NOW + timedelta(hours=1)))
    assert await stores.accounts.account_of_token(b"1", NOW) == ann
    assert await stores.accounts.account_of_token(b"2", NOW) == ann
    assert await stores.accounts.account_of_token(b"2", NOW + timedelta(hours=1)) is None
    assert await stores.accounts.account_of_token(b"3", NOW) is None
    assert await stores.accounts.tokens(ann.id) == (second, first)
    assert await stores.accounts.tokens(bob.id) == ()
    assert not await stores.accounts.revoke_token(bob.id, first.id, NOW)
    assert await stores.accounts.revoke_token(ann.id, first.id, NOW)
    assert not await stores.accounts.revoke_token(ann.id, first.id, NOW)
    assert await stores.accounts.account_of_token(b"1", NOW) is None
    assert await stores.accounts.tokens(ann.id) == (second,)


async def test_a_login_link_works_once_and_in_time(stores: Stores) -> None:
    """Used, too old and unknown are the same."""
    ann = await stores.account("ann")
    for hash_ in (b"1", b"2"):
        await stores.accounts.add_login_link(hash_, ann.id, NOW, NOW + timedelta(hours=1))
    assert await stores.accounts.use_login_link(b"1", NOW) == ann
    assert await stores.accounts.use_login_link(b"1", NOW) is None
    assert await stores.accounts.use_login_link(b"2", NOW + timedelta(hours=1)) is None
    assert await stores.accounts.use_login_link(b"3", NOW) is None


async def test_the_signing_secret_is_made_once(stores: Stores) -> None:
    """The first that is offered stays."""
    ann = await stores.account("ann")
    assert await stores.accounts.webhook_secret(ann.id, "one", NOW) == "one"
    assert await stores.accounts.webhook_secret(ann.id, "two", NOW) == "one"
