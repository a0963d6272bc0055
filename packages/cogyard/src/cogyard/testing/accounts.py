"""Accounts, their tokens, sessions and memberships in memory, for tests without a database."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from cogyard.domain.deployments import Deployment
from cogyard.domain.roles import Membership, Role
from cogyard.domain.values import (
    Account,
    ApiToken,
    Model,
)
from cogyard.features.accounts.ports import (
    BelongingsLeftError,
    Holder,
    NameTakenError,
    NewAccount,
    NewSession,
    NewToken,
)
from cogyard.features.organizations.ports import Standing
from cogyard.testing.predictions import MemoryPredictions


@dataclass
class MemoryAccounts:
    """Keeps the promises of `cogyard.features.accounts.ports.Accounts`."""

    accounts: dict[str, Account] = field(default_factory=dict)
    passwords: dict[int, str | None] = field(default_factory=dict)
    kept_tokens: dict[bytes, ApiToken] = field(default_factory=dict)
    links: dict[bytes, tuple[int, datetime]] = field(default_factory=dict)
    secrets: dict[int, str] = field(default_factory=dict)
    old_secrets: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    sessions: dict[bytes, NewSession] = field(default_factory=dict)
    members: dict[tuple[int, int], Standing] = field(default_factory=dict)
    """By organization and account."""
    models: Mapping[int, Model] = field(default_factory=dict)
    deployed: Mapping[int, Deployment] = field(default_factory=dict)
    predictions: MemoryPredictions | None = None
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def add(self, account: NewAccount) -> Account:
        """Keep a new account. Raises NameTakenError."""
        if account.username.lower() in self.accounts:
            raise NameTakenError(account.username)
        made = Account(
            id=next(self._count),
            username=account.username,
            name=account.name,
            type=account.type,
            is_admin=account.is_admin,
            created_at=account.created_at,
            role=Role.OWNER if account.type == "user" else Role.WRITER,
        )
        self.accounts[account.username.lower()] = made
        self.passwords[made.id] = account.password_hash
        return made

    async def by_id(self, account_id: int) -> Account | None:
        """Return the account, or None."""
        found = next((each for each in self.accounts.values() if each.id == account_id), None)
        return None if found is None else self._seen(found)

    async def by_username(self, username: str) -> Account | None:
        """Return the account of that name, or None."""
        found = self.accounts.get(username.lower())
        return None if found is None else self._seen(found)

    def _seen(self, account: Account) -> Account:
        """Return an account as of now, with where it belongs."""
        names = {each.id: each.username for each in self.accounts.values()}
        found = [
            Membership(organization=names[key], organization_id=key, role=standing.role)
            for (key, member), standing in self.members.items()
            if member == account.id and standing.joined_at is not None
        ]
        return replace(account, memberships=tuple(sorted(found, key=lambda each: each.organization)))

    async def close(self, account_id: int, now: datetime) -> None:
        """Delete an account with what is its own. Raises BelongingsLeftError."""
        del now
        account = await self.by_id(account_id)
        if account is None:
            return
        self._refuse_closing(account)
        del self.accounts[account.username.lower()]
        self.kept_tokens = {k: each for k, each in self.kept_tokens.items() if each.account_id != account_id}
        self.sessions = {k: each for k, each in self.sessions.items() if each.account_id != account_id}
        self.links = {k: each for k, each in self.links.items() if each[0] != account_id}
        self.members = {key: each for key, each in self.members.items() if account_id not in key}
        if self.predictions is not None:
            mine = [k for k, each in self.predictions.predictions.items() if each.account_id == account_id]
            for key in mine:
                del self.predictions.predictions[key]
            asked = {
                k: each
                for k, each in self.predictions.predictions.items()
                if each.asked_by == account.username
            }
            for key, each in asked.items():
                self.predictions.predictions[key] = msgspec.structs.replace(each, asked_by=None)

    def _refuse_closing(self, account: Account) -> None:
        owned = [each.owner for each in self.models.values()]
        owned += [each.owner for each in self.deployed.values()]
        tickets = () if self.predictions is None else self.predictions.tickets
        runs = () if self.predictions is None else self.predictions.predictions.values()
        if account.username in owned or any(
            each.id in tickets and each.account_id == account.id for each in runs
        ):
            raise BelongingsLeftError(f"it still has {len(owned)} models, deployments or predictions")
        for each in account.memberships:
            owners = [
                member
                for (key, member), standing in self.members.items()
                if key == each.organization_id
                and standing.role is Role.OWNER
                and standing.joined_at is not None
            ]
            if owners == [account.id]:
                raise BelongingsLeftError(f"nobody else owns {each.organization}.")
        others = [each for each in self.accounts.values() if each.is_admin and each.id != account.id]
        if account.is_admin and not others:
            raise BelongingsLeftError("it is the platform's last administrator.")

    async def password_of(self, username: str) -> tuple[Account, str | None] | None:
        """Return the account and its password's hash."""
        found = await self.by_username(username)
        return None if found is None else (found, self.passwords[found.id])

    async def set_password(self, account_id: int, password_hash: str) -> None:
        """Replace the password's hash, and end the account's sessions."""
        self.passwords[account_id] = password_hash
        self.sessions = {key: each for key, each in self.sessions.items() if each.account_id != account_id}

    async def any_account(self) -> bool:
        """Whether there is an account at all."""
        return bool(self.accounts)

    async def all(self) -> tuple[Account, ...]:
        """Return every account, by name."""
        return tuple(self._seen(self.accounts[name]) for name in sorted(self.accounts))

    async def webhook_secret(self, account_id: int, fresh: str, now: datetime) -> str:
        """Return the account's signing secret."""
        del now
        return self.secrets.setdefault(account_id, fresh)

    async def rotate_webhook_secret(self, account_id: int, fresh: str, now: datetime) -> None:
        """Make `fresh` the account's signing secret, and remember the one before."""
        if account_id in self.secrets:
            self.old_secrets[account_id] = (self.secrets[account_id], now)
        self.secrets[account_id] = fresh

    async def previous_webhook_secret(self, account_id: int, since: datetime) -> str | None:
        """Return the secret that was replaced after `since`."""
        secret, replaced_at = self.old_secrets.get(account_id, (None, since))
        return secret if replaced_at > since else None

    async def add_token(self, token: NewToken) -> ApiToken:
        """Keep a token."""
        made = ApiToken(
            id=next(self._count),
            account_id=token.account_id,
            name=token.name,
            tail=token.tail,
            created_at=token.created_at,
            expires_at=token.expires_at,
            scope=token.scope,
        )
        self.kept_tokens[token.hash] = made
        return made

    async def holder_of_token(self, hash: bytes, now: datetime) -> Holder | None:
        """Return whose valid token this is."""
        token = self.kept_tokens.get(hash)
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            return None
        account = await self.by_id(token.account_id)
        if account is None:
            return None
        return Holder(account=account, scope=token.scope, token_id=token.id, last_used_at=token.last_used_at)

    async def note_use(self, token_id: int, now: datetime) -> None:
        """Keep when a token was used."""
        for hash_, token in self.kept_tokens.items():
            if token.id == token_id:
                self.kept_tokens[hash_] = replace(token, last_used_at=now)
                return

    async def tokens(self, account_id: int) -> tuple[ApiToken, ...]:
        """Return an account's tokens that are not revoked, newest first."""
        found = [token for token in self.kept_tokens.values() if token.account_id == account_id]
        return tuple(sorted(found, key=lambda token: -token.id))

    async def revoke_token(self, account_id: int, token_id: int, now: datetime) -> bool:
        """End a token of that account."""
        del now
        for hash_, token in self.kept_tokens.items():
            if (token.id, token.account_id) == (token_id, account_id):
                del self.kept_tokens[hash_]
                return True
        return False

    async def add_login_link(self, hash: bytes, account_id: int, now: datetime, expires_at: datetime) -> None:
        """Keep a one-time link."""
        del now
        self.links[hash] = (account_id, expires_at)

    async def account_of_login_link(self, hash: bytes, now: datetime) -> Account | None:
        """Return whom a link would sign in."""
        account_id, expires_at = self.links.get(hash, (0, now))
        return await self.by_id(account_id) if expires_at > now else None

    async def use_login_link(self, hash: bytes, now: datetime) -> Account | None:
        """Use a link up."""
        account_id, expires_at = self.links.pop(hash, (0, now))
        return await self.by_id(account_id) if expires_at > now else None

    async def add_session(self, session: NewSession, *, most: int) -> None:
        """Keep a session; of this account only the newest `most` stay."""
        mine = [each for each in self.sessions.values() if each.account_id == session.account_id]
        for old in sorted(mine, key=lambda each: each.created_at, reverse=True)[most - 1 :]:
            del self.sessions[old.hash]
        self.sessions[session.hash] = session

    async def account_of_session(self, hash: bytes, now: datetime) -> Account | None:
        """Return whose session this is."""
        found = self.sessions.get(hash)
        return await self.by_id(found.account_id) if found is not None and found.expires_at > now else None

    async def end_session(self, hash: bytes) -> bool:
        """End a session."""
        return self.sessions.pop(hash, None) is not None
