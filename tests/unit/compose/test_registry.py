"""Who the registry lets in: an API token always, a password unless it is guessed at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from cogyard.compose.registry import AccountIdentity
from cogyard.domain.guesses import OF_NAME, Attempt
from cogyard.features.accounts.service import Accounts
from cogyard.features.services import Services
from cogyard.http.errors import BusyError
from cogyard.testing.accounts import MemoryAccounts

pytestmark = pytest.mark.anyio
HERE = "192.0.2.7"


def _identity(accounts: Accounts) -> AccountIdentity:
    # Of all services the identity asks only the accounts.
    return AccountIdentity(cast("Services", SimpleNamespace(accounts=accounts)))


async def test_an_api_token_is_never_braked() -> None:
    """While passwords of the same account are refused, from the same address, too."""
    accounts = Accounts(store=MemoryAccounts())
    ann = await accounts.create("ann", name="Ann")
    token = await accounts.create_token(ann, "t")
    for _ in range(OF_NAME):
        accounts.sign_ins.begin(Attempt("ann", HERE, accounts.world.elapsed()))
    identity = _identity(accounts)
    with pytest.raises(BusyError):
        await identity.authenticate("ann", "guess", client=HERE)
    assert await identity.authenticate("ann", token, client=HERE) == ann
    assert await identity.by_token(token) == ann


async def test_a_token_that_is_no_more_brakes_nobody() -> None:
    """A machine that goes on with a revoked token does not lock its person out."""
    accounts = Accounts(store=MemoryAccounts())
    ann = await accounts.create("ann", name="Ann")
    token = await accounts.create_token(ann, "t")
    (kept,) = await accounts.tokens(ann)
    await accounts.revoke(ann, kept.id)
    assert await _identity(accounts).authenticate("ann", token, client=HERE) is None
    assert len(accounts.sign_ins.names) == 0
