"""What the accounts service asks of whoever keeps accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account, ApiToken


class NameTakenError(Exception):
    """Somebody has that name already."""


class BelongingsLeftError(Exception):
    """An account cannot go yet; the text says what it still has, as a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAccount:
    """An account that is about to be."""

    username: str
    name: str
    type: str
    is_admin: bool
    password_hash: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NewToken:
    """A token that is about to be; the secret itself is never kept."""

    account_id: int
    name: str
    hash: bytes
    tail: str
    created_at: datetime
    expires_at: datetime | None = None
    scope: Scope = Scope.WRITE


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Whose token one is, and how far it reaches."""

    account: Account
    scope: Scope
    token_id: int = 0
    last_used_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSession:
    """A session that is about to be; the secret itself is only in the browser's cookie."""

    account_id: int
    hash: bytes
    created_at: datetime
    expires_at: datetime


class AccountStore(Protocol):
    """Keeps accounts. Names are found whatever their case."""

    async def add(self, account: NewAccount) -> Account:
        """Keep a new account. Raises NameTakenError."""
        ...

    async def by_id(self, account_id: int) -> Account | None:
        """Return the account, or None."""
        ...

    async def by_username(self, username: str) -> Account | None:
        """Return the account of that name, or None."""
        ...

    async def password_of(self, username: str) -> tuple[Account, str | None] | None:
        """Return the account and the hash of its password, if it has one."""
        ...

    async def set_password(self, account_id: int, password_hash: str) -> None:
        """Replace the password's hash, and end every session of the account, in one step."""
        ...

    async def any_account(self) -> bool:
        """Whether there is an account at all."""
        ...

    async def all(self) -> tuple[Account, ...]:
        """Return every account, by name."""
        ...

    async def webhook_secret(self, account_id: int, fresh: str, now: datetime) -> str:
        """Return the account's signing secret; `fresh` becomes it when there is none."""
        ...


class ClosingStore(Protocol):
    """Lets accounts go."""

    async def close(self, account_id: int, now: datetime) -> None:
        """Delete an account with its tokens, sessions, memberships, predictions and files, in one step.

        Its name is free from then on. Raises BelongingsLeftError while it owns models or deployments, while its
        predictions wait or run, and while an organization or the platform would have nobody left who owns it.
        """
        ...


class SecretStore(Protocol):
    """Keeps what accounts sign their webhooks with."""

    async def rotate_webhook_secret(self, account_id: int, fresh: str, now: datetime) -> None:
        """Make `fresh` the account's signing secret, and remember the one before."""
        ...

    async def previous_webhook_secret(self, account_id: int, since: datetime) -> str | None:
        """Return the secret that was replaced after `since`, or None."""
        ...


class TokenStore(Protocol):
    """Keeps what lets accounts in."""

    async def add_token(self, token: NewToken) -> ApiToken:
        """Keep a token."""
        ...

    async def holder_of_token(self, hash: bytes, now: datetime) -> Holder | None:
        """Return whose token this is, unless it is revoked or has expired."""
        ...

    async def tokens(self, account_id: int) -> tuple[ApiToken, ...]:
        """Return an account's valid tokens, newest first."""
        ...

    async def revoke_token(self, account_id: int, token_id: int, now: datetime) -> bool:
        """End a token of that account; False when there is none."""
        ...

    async def note_use(self, token_id: int, now: datetime) -> None:
        """Keep when a token was used."""
        ...

    async def add_login_link(self, hash: bytes, account_id: int, now: datetime, expires_at: datetime) -> None:
        """Keep a one-time link."""
        ...

    async def account_of_login_link(self, hash: bytes, now: datetime) -> Account | None:
        """Return whom a link would sign in, using nothing up; None when it is unknown, used or too old."""
        ...

    async def use_login_link(self, hash: bytes, now: datetime) -> Account | None:
        """Use a link up and return its account; None when it is unknown, used or too old."""
        ...


class SessionStore(Protocol):
    """Keeps who is signed in with a browser. Looking writes nothing: every request looks."""

    async def add_session(self, session: NewSession, *, most: int) -> None:
        """Keep a session; of this account only the newest `most` stay."""
        ...

    async def account_of_session(self, hash: bytes, now: datetime) -> Account | None:
        """Return whose session this is, unless it has ended or expired."""
        ...

    async def end_session(self, hash: bytes) -> bool:
        """End a session at once; False when there is none."""
        ...


class Accounts(AccountStore, ClosingStore, SecretStore, TokenStore, SessionStore, Protocol):
    """All of them."""
