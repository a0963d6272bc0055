"""Who is let in at a start."""

from __future__ import annotations

import pytest
from cogyard.compose.administration import default_administrator
from cogyard.compose.welcome import NoAdministratorError, admit
from cogyard.features.accounts.service import Accounts
from cogyard.testing.accounts import MemoryAccounts

pytestmark = pytest.mark.anyio


@pytest.fixture
def accounts() -> Accounts:
    """Give a platform without accounts."""
    return Accounts(store=MemoryAccounts())


async def test_the_only_administrator_need_not_be_named_again(accounts: Accounts) -> None:
    """Who was made by `--admin ada` gets the token of a later `--print-token`, whatever the system's user is called."""
    await admit(accounts, named="ada", print_token=False, first_token=True)
    account, first, told = await admit(accounts, named=None, print_token=True, first_token=True)
    assert account is not None
    assert (account.username, first, told is not None) == ("ada", False, True)


async def test_one_of_several_is_to_be_named(accounts: Accounts) -> None:
    """They are listed, and nobody gets a token that was meant for another."""
    for name in ("ada", "bob"):
        await accounts.create(name, name=name, is_admin=True)
    with pytest.raises(NoAdministratorError) as caught:
        await admit(accounts, named=None, print_token=True, first_token=True)
    assert caught.value.hint == "Name one: --admin ada or bob"
    account, _, _ = await admit(accounts, named="bob", print_token=True, first_token=True)
    assert account is not None
    assert account.username == "bob"


async def test_without_an_administrator_it_is_said_how_to_make_one(accounts: Accounts) -> None:
    """As for a name that nobody has."""
    await accounts.create("carol", name="Carol")
    for named in (None, "dora"):
        with pytest.raises(NoAdministratorError) as caught:
            await admit(accounts, named=named, print_token=True, first_token=True)
        assert f"cogyard account add {named or default_administrator()} --admin" in str(caught.value.hint)
