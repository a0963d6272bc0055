"""What a start tells: addresses, and at the first one the administrator's way in."""

from __future__ import annotations

from dataclasses import dataclass

from cogyard.compose.administration import default_administrator
from cogyard.domain.values import Account
from cogyard.errors import CogyardError
from cogyard.features.accounts.service import Accounts

_TOKEN_NAME = "cogyard up"  # noqa: S105 - what the token is called


class NoAdministratorError(CogyardError):
    """A token was asked for, for somebody who is not there."""

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
    #: Predictions that an earlier platform left in the middle, and that run again.
    recovered: int = 0


async def admit(
    accounts: Accounts, *, named: str | None, print_token: bool
) -> tuple[Account | None, bool, tuple[str, str] | None]:
    """Make the administrator at the first start; return (account, first start, (token, link secret) if told).

    Raises InvalidError for a name that can't be one, NoAdministratorError when a token is asked for nobody.
    """
    first_start = not await accounts.exist()
    name = named or default_administrator()
    account: Account | None
    if first_start:
        account = await accounts.create(name, name=name, is_admin=True)
    else:
        account = await accounts.get(name)
    if not first_start and not print_token:
        return account, False, None
    if account is None:
        raise NoAdministratorError(
            f"There is no account {name}.", hint="Name the administrator with --admin."
        )
    token = await accounts.create_token(account, _TOKEN_NAME)
    return account, first_start, (token, await accounts.create_login_link(account))
