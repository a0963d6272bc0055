"""Who asks: set once by the authentication middleware, read by every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.requests import HTTPConnection

from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account
from cogyard.http.errors import UnauthenticatedError

ACCOUNT_HEADER = "cogyard-account"
"""Names the organization that a member's request acts for."""

ACTING_KEY = "acting"
"""Where a browser's cookie holds the name of the organization that its person has chosen to act for."""

SESSION_KEY = "session"
"""Where a browser's signed cookie holds the secret of its session."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """An account, or nobody; and how it showed who it is."""

    account: Account | None = None
    via: Literal["token", "session"] | None = None
    scope: Scope = Scope.WRITE
    """How far the caller's token reaches; a session reaches as far as its account."""

    person: Account | None = None
    """Who acts for the account, when that is an organization and a member asked to."""


NOBODY = Caller()


def caller_of(request: HTTPConnection) -> Caller:
    """Return who asks; nobody, when no middleware has said."""
    caller = request.scope.get("state", {}).get("caller", NOBODY)
    return caller if isinstance(caller, Caller) else NOBODY


def require_person(request: HTTPConnection) -> Account:
    """Return the account whose token or session it is, whomever it acts for. Raises UnauthenticatedError."""
    return caller_of(request).person or require_account(request)


def require_account(request: HTTPConnection) -> Account:
    """Return the caller's account; raise UnauthenticatedError when nobody asks."""
    account = caller_of(request).account
    if account is None:
        raise UnauthenticatedError
    return account
