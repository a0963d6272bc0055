"""Who the registry lets in: an API token always, a password unless it is guessed at."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from cogyard.compose.registry import AccountIdentity
from cogyard.domain.guesses import OF_NAME, Attempt
from cogyard.domain.scopes import Scope
from cogyard.features.accounts.service import Accounts
from cogyard.features.audit.ports import Wanted
from cogyard.features.audit.service import Audit
from cogyard.features.services import Services
from cogyard.http.errors import BusyError
from cogyard.registry.ports import Known
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.audit import FakeAudit

pytestmark = pytest.mark.anyio
HERE = "192.0.2.7"


def _identity(accounts: Accounts, audit: Audit | None = None) -> AccountIdentity:
    # Of all services the identity asks only the accounts, and tells the audit log.
    return AccountIdentity(cast("Services", SimpleNamespace(accounts=accounts, audit=audit)))


async def test_a_wrong_password_is_noted_without_it() -> None:
    """For whom it was tried and from where, as at the sign-in page; tokens and right passwords are no sign-in."""
    accounts, kept = Accounts(store=MemoryAccounts()), FakeAudit()
    ann = await accounts.create("ann", name="Ann")
    await accounts.set_password(ann, "correct horse battery")
    token = await accounts.create_token(ann, "t")
    identity = _identity(accounts, Audit(store=kept, keep=timedelta(days=1)))
    assert await identity.authenticate("ann", "correct horse battery", client=HERE) == Known(ann)
    assert await identity.authenticate("ann", token, client=HERE) == Known(ann)
    assert await identity.authenticate("ann", "hunter2hunter2", client=HERE) is None
    (noted,) = await kept.entries(Wanted(limit=9))
    assert (noted.action, noted.subject, noted.via, noted.client) == (
        "signin.failed",
        "ann",
        "registry",
        HERE,
    )
    assert "hunter2" not in str(noted)


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
    assert await identity.authenticate("ann", token, client=HERE) == Known(ann)
    assert await identity.by_token(token) == Known(ann)


@pytest.mark.parametrize("scope", Scope)
async def test_a_token_reaches_as_far_as_its_scope(scope: Scope) -> None:
    """Every one pulls; only one that does everything pushes."""
    accounts = Accounts(store=MemoryAccounts())
    ann = await accounts.create("ann", name="Ann")
    token = await accounts.create_token(ann, "t", scope=scope)
    expected = Known(ann, pushes=scope is Scope.WRITE)
    assert await _identity(accounts).by_token(token) == expected
    assert await _identity(accounts).authenticate("Ann", token, client=HERE) == expected
    assert await _identity(accounts).authenticate("bob", token, client=HERE) is None


async def test_a_token_that_is_no_more_brakes_nobody() -> None:
    """A machine that goes on with a revoked token does not lock its person out."""
    accounts = Accounts(store=MemoryAccounts())
    ann = await accounts.create("ann", name="Ann")
    token = await accounts.create_token(ann, "t")
    (kept,) = await accounts.tokens(ann)
    await accounts.revoke(ann, kept.id)
    assert await _identity(accounts).authenticate("ann", token, client=HERE) is None
    assert len(accounts.sign_ins.names) == 0
