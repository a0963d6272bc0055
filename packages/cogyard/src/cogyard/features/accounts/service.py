"""Accounts, and what lets them in: passwords, API tokens, sessions, one-time links."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from cogyard.domain.guesses import Attempt, SignIns
from cogyard.domain.ids import (
    CAPABILITY_RANDOM_BYTES,
    TOKEN_PREFIX,
    TOKEN_RANDOM_BYTES,
    fingerprint,
    is_capability,
    new_capability,
    new_token,
    new_webhook_secret,
)
from cogyard.domain.names import username_problem
from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account, ApiToken
from cogyard.features.accounts import passwords
from cogyard.features.accounts.ports import Accounts as Store
from cogyard.features.accounts.ports import (
    BelongingsLeftError,
    Holder,
    NameTakenError,
    NewAccount,
    NewSession,
    NewToken,
)
from cogyard.features.accounts.turns import Turns
from cogyard.features.world import World
from cogyard.http.errors import BusyError, ConflictError, ForbiddenError, InvalidError

LOGIN_LINK_LIFE = timedelta(hours=1)
SESSION_LIFE = timedelta(days=14)
# Of one account at once; the oldest ends when there is one more.
MOST_SESSIONS = 100
TOKEN_NAME_LIMIT = 100
SECRET_LIMIT = 200
# How long a receiver of webhooks has to learn a new signing secret.
SECRET_OVERLAP = timedelta(days=1)
WEBHOOK_SECRET_BYTES = 24
# How exactly it is kept when a token was used last: a request that looks writes no more often than this.
USE_NOTED = timedelta(hours=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Knows who there is. Secrets are returned once, when they are made, and never again."""

    store: Store
    world: World = field(default_factory=World)
    sign_ins: SignIns = field(default_factory=SignIns)
    turns: Turns = field(default_factory=Turns)

    async def create(
        self,
        username: str,
        *,
        name: str,
        password: str | None = None,
        is_admin: bool = False,
        type: str = "user",
    ) -> Account:
        """Make an account. Raises InvalidError for a bad name or password, ConflictError for a taken one."""
        if (problem := username_problem(username)) is not None:
            raise InvalidError(problem, problems=[("username", problem)])
        new = NewAccount(
            username=username,
            name=name.strip()[:200] or username,
            type=type,
            is_admin=is_admin,
            password_hash=None if password is None else await self._hashed(password),
            created_at=self.world.now(),
        )
        try:
            return await self.store.add(new)
        except NameTakenError as error:
            raise ConflictError(f"The user name {username} is taken.") from error

    async def get(self, username: str) -> Account | None:
        """Return the account of that name, or None."""
        return await self.store.by_username(username) if len(username) <= SECRET_LIMIT else None

    async def by_id(self, account_id: int) -> Account | None:
        """Return the account, or None."""
        return await self.store.by_id(account_id)

    async def all(self) -> tuple[Account, ...]:
        """Return every account, by name: for the operator."""
        return await self.store.all()

    async def exist(self) -> bool:
        """Whether there is an account at all: a platform without one has never been started."""
        return await self.store.any_account()

    async def holder(self, token: str) -> Holder | None:
        """Return whose API token this is, or None; a revoked one is nobody's from the next request on."""
        if not token.startswith(TOKEN_PREFIX) or len(token) > SECRET_LIMIT:
            return None
        now = self.world.now()
        found = await self.store.holder_of_token(fingerprint(token), now)
        if found is not None and (found.last_used_at is None or now - found.last_used_at >= USE_NOTED):
            await self._note_use(found.token_id, now)
        return found

    async def verify_password(self, username: str, password: str, *, client: str = "") -> Account | None:
        """Return the account when the password is its; takes as long when there is no such account.

        `client` is the address it comes from, empty when unknown. Raises BusyError, before the password is looked at,
        after too many failures with this name or from this address, and when too many wait.
        """
        if len(password) > passwords.MAX_LENGTH or len(username) > SECRET_LIMIT:
            return None
        self._refuse_guessing(username, client)
        async with self.turns.turn():
            # Again, since those before in the line have failed meanwhile.
            attempt = self._refuse_guessing(username, client)
            self.sign_ins.begin(attempt)
            found = await self.store.password_of(username)
            kept = found[1] if found is not None else None
            right = await self.turns.run(partial(passwords.matches, password, kept or passwords.DECOY))
            if found is None or kept is None or not right:
                return None
            self.sign_ins.take_back(attempt)
            return found[0]

    async def set_password(self, account: Account, password: str) -> None:
        """Replace the account's password and end all of its sessions. Raises InvalidError."""
        _require_person(account)
        await self.store.set_password(account.id, await self._hashed(password))

    async def close(self, account: Account) -> None:
        """Delete an account with its tokens, sessions, memberships, predictions and files; its name is free then.

        Raises ConflictError while it owns something that others may use, or is the last owner of an organization.
        """
        try:
            await self.store.close(account.id, self.world.now())
        except BelongingsLeftError as error:
            raise ConflictError(f"{account.username} cannot be deleted: {error}") from error

    async def create_token(
        self,
        account: Account,
        name: str,
        *,
        scope: Scope = Scope.WRITE,
        expires_at: datetime | None = None,
    ) -> str:
        """Make an API token and return it, this once. Raises InvalidError for a name that is too long."""
        return (await self.make_token(account, name, scope=scope, expires_at=expires_at))[0]

    async def make_token(
        self, account: Account, name: str, *, scope: Scope, expires_at: datetime | None
    ) -> tuple[str, ApiToken]:
        """Make an API token; return its secret, this once, and what is kept of it.

        A token of an organization acts for it as a writer does. Raises InvalidError, ForbiddenError.
        """
        _require_admin(account)
        name = name.strip() or "unnamed"
        if len(name) > TOKEN_NAME_LIMIT:
            raise InvalidError(
                f"The token's name has {len(name)} characters; at most {TOKEN_NAME_LIMIT} are allowed."
            )
        token = new_token(self.world.random(TOKEN_RANDOM_BYTES))
        kept = await self.store.add_token(
            NewToken(
                account_id=account.id,
                name=name,
                hash=fingerprint(token),
                tail=token[-4:],
                created_at=self.world.now(),
                expires_at=expires_at,
                scope=scope,
            )
        )
        return token, kept

    async def tokens(self, account: Account) -> tuple[ApiToken, ...]:
        """Return the account's tokens, newest first; without their secrets. Raises ForbiddenError."""
        _require_admin(account)
        return await self.store.tokens(account.id)

    async def revoke(self, account: Account, token_id: int | str) -> bool:
        """End a token of this account at once; False when it has none of that id. Raises ForbiddenError."""
        _require_admin(account)
        if isinstance(token_id, str):
            if not (token_id.isascii() and token_id.isdigit() and len(token_id) < 18):
                return False
            token_id = int(token_id)
        return await self.store.revoke_token(account.id, token_id, self.world.now())

    async def create_login_link(self, account: Account) -> str:
        """Make the secret of a link that signs in once, within an hour. Raises InvalidError for an organization."""
        _require_person(account)
        secret = new_capability(self.world.random(CAPABILITY_RANDOM_BYTES))
        now = self.world.now()
        await self.store.add_login_link(fingerprint(secret), account.id, now, now + LOGIN_LINK_LIFE)
        return secret

    async def account_of_login_link(self, secret: str) -> Account | None:
        """Return whom a link would sign in, without using it up; None when it would sign in nobody."""
        if len(secret) > SECRET_LIMIT:
            return None
        return await self.store.account_of_login_link(fingerprint(secret), self.world.now())

    async def use_login_link(self, secret: str) -> Account | None:
        """Use a link up and return its account; None when it is unknown, used or too old."""
        if len(secret) > SECRET_LIMIT:
            return None
        return await self.store.use_login_link(fingerprint(secret), self.world.now())

    async def begin_session(self, account: Account) -> str:
        """Sign the account in with a browser; return the session's secret, for its cookie and nothing else."""
        secret = new_capability(self.world.random(CAPABILITY_RANDOM_BYTES))
        now = self.world.now()
        await self.store.add_session(
            NewSession(
                account_id=account.id,
                hash=fingerprint(secret),
                created_at=now,
                expires_at=now + SESSION_LIFE,
            ),
            most=MOST_SESSIONS,
        )
        return secret

    async def of_session(self, secret: str) -> Account | None:
        """Return who is signed in by this secret, or None; an ended session is nobody's from the next request on."""
        if not is_capability(secret):
            return None
        return await self.store.account_of_session(fingerprint(secret), self.world.now())

    async def end_session(self, secret: str) -> bool:
        """End a session at once, wherever its cookie is; False when there is none."""
        return is_capability(secret) and await self.store.end_session(fingerprint(secret))

    async def webhook_secret(self, account_id: int) -> str:
        """Return what the account's webhooks are signed with; made at the first call."""
        fresh = new_webhook_secret(self.world.random(WEBHOOK_SECRET_BYTES))
        return await self.store.webhook_secret(account_id, fresh, self.world.now())

    async def rotate_webhook_secret(self, account: Account) -> str:
        """Give the account a new signing secret; the one before goes on signing beside it for a day."""
        _require_admin(account)
        fresh = new_webhook_secret(self.world.random(WEBHOOK_SECRET_BYTES))
        await self.store.rotate_webhook_secret(account.id, fresh, self.world.now())
        return fresh

    async def signing_secrets(self, account_id: int) -> tuple[str, ...]:
        """Return all that the account's webhooks are signed with now, the newest first."""
        current = await self.webhook_secret(account_id)
        before = await self.store.previous_webhook_secret(account_id, self.world.now() - SECRET_OVERLAP)
        return (current,) if before is None else (current, before)

    def _refuse_guessing(self, username: str, client: str) -> Attempt:
        attempt = Attempt(username, client, self.world.elapsed())
        if (wait := self.sign_ins.wait(attempt)) > 0:
            raise _braked(wait)
        return attempt

    async def _note_use(self, token_id: int, now: datetime) -> None:
        try:
            await self.store.note_use(token_id, now)
        except Exception:  # noqa: BLE001 - a full disk must not keep out whoever only looks
            _log.warning("token use not noted", extra={"action": "token_use_not_noted"})

    async def _hashed(self, password: str) -> str:
        if not passwords.MIN_LENGTH <= len(password) <= passwords.MAX_LENGTH:
            problem = (
                f"The password has {len(password)} characters; "
                f"from {passwords.MIN_LENGTH} to {passwords.MAX_LENGTH} are allowed."
            )
            raise InvalidError(problem, problems=[("password", problem)])
        salt = self.world.random(passwords.SALT_BYTES)
        return await self.turns.run(partial(passwords.hashed, password, salt))


def _require_person(account: Account) -> None:
    if account.type != "user":
        raise InvalidError(
            f"{account.username} is an organization: nobody signs in as it. Its members sign in as themselves."
        )


def _require_admin(account: Account) -> None:
    if not account.role.covers(Role.ADMIN):
        raise ForbiddenError(
            f"As a {account.role} of {account.username} you may not handle its tokens and secrets; an admin may."
        )


def _braked(wait: float) -> BusyError:
    minutes = math.ceil(wait / 60)
    return BusyError(
        "Too many sign-ins have failed, with this name or from this address."
        f" Try again in {minutes} minute{'s' if minutes > 1 else ''}."
        " API tokens and one-time links work meanwhile.",
        retry_after=math.ceil(wait),
    )
