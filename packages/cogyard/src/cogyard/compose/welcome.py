"""What a start tells: addresses, and at the first one the administrator's way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cogyard.compose.administration import default_administrator
from cogyard.domain.retry import Recovery
from cogyard.domain.values import Account
from cogyard.errors import CogyardError
from cogyard.features.accounts.service import Accounts

_TOKEN_NAME = "cogyard up"  # noqa: S105 - what the token is called


class NoAdministratorError(CogyardError):
    """The administrator who was named, or for whom a token was asked, is not there."""

    code = "no_administrator"


@dataclass(frozen=True, kw_only=True, slots=True)
class Welcome:
    """What is to be told once the platform answers. Secrets are told this once."""

    #: Where this machine reaches it.
    address: str
    #: Where people do.
    public_address: str
    administrator: str | None = None
    first_start: bool = False
    token: str | None = None
    link: str | None = None
    #: What became of predictions that an earlier platform left in the middle.
    recovered: Recovery = field(default_factory=Recovery)
    #: What instances run in, whether that keeps models from this machine, and why they don't run in something better.
    runtime: str = "process"
    isolated: bool = False
    passed_over: Mapping[str, str] = field(default_factory=dict)


async def admit(
    accounts: Accounts, *, named: str | None, print_token: bool, first_token: bool
) -> tuple[Account | None, bool, tuple[str | None, str] | None]:
    """Make the administrator at the first start; return (account, first start, (token, link secret) if told).

    A first start makes no token without `first_token`, unless it is to be printed.

    Raises InvalidError for a name that can't be one, NoAdministratorError for somebody who is not there.
    """
    first_start = not await accounts.exist()
    name = named or default_administrator()
    account: Account | None
    if first_start:
        account = await accounts.create(name, name=name, is_admin=True)
    else:
        account = await accounts.get(name)
    if account is None and named is None and print_token:
        account = await _only_administrator(accounts)
    if account is None and (named is not None or print_token):
        raise NoAdministratorError(
            f"There is no account {name}.", hint=f"`cogyard account add {name} --admin` makes it."
        )
    if account is None or not (first_start or print_token):
        return account, False, None
    token = await accounts.create_token(account, _TOKEN_NAME) if print_token or first_token else None
    return account, first_start, (token, await accounts.create_login_link(account))


async def _only_administrator(accounts: Accounts) -> Account | None:
    """Return the administrator whom nobody named; none where there is none. Raises NoAdministratorError for several."""
    found = [each for each in await accounts.all() if each.is_admin]
    if len(found) < 2:
        return found[0] if found else None
    names = " or ".join(each.username for each in found)
    raise NoAdministratorError(
        "--print-token does not say whose token, and there are several administrators.",
        hint=f"Name one: --admin {names}",
    )


def noted(account: Account, *, first_start: bool, token: bool) -> Mapping[str, str]:
    """Return what the audit log says of a start that told a way in: actions, and what each was done to."""
    made = {"accounts.create": f"{account.username}, an administrator"} if first_start else {}
    tokens = {"tokens.create": f"{account.username}: {_TOKEN_NAME}"} if token else {}
    return {
        **made,
        **tokens,
        "signin.link.create": account.username,
    }
