"""From a request's Authorization header to what its sender may do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from cogyard.domain.values import Account
from cogyard.http.addresses import Addresses
from cogyard.http.clients import client_of
from cogyard.http.concerns import concerns
from cogyard.registry.errors import DeniedError, NameUnknownError, UnauthorizedError
from cogyard.registry.ports import Access, Identity, Known
from cogyard.registry.tokens import DELETE, PULL, PUSH, Claims, Scope, Signer

API_TOKEN_PREFIX = "cyd_"  # noqa: S105 - how API tokens begin


@dataclass(frozen=True, slots=True)
class Grant:
    """Who asks (None: anyone), and what their token was made for (None: whatever they may do)."""

    account: Account | None
    claims: Claims | None = None
    pushes: bool = True
    """Whether the API token, if it is one, reaches as far as pushing."""

    def asked_for(self, repository: str, action: str) -> bool:
        """Whether the token, if there is one, was made for this."""
        return self.claims is None or self.claims.allows(repository, action)


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """Decides about requests."""

    identity: Identity
    access: Access
    signer: Signer

    async def grant(self, request: Request) -> Grant:
        """Return who sent a request. Raises UnauthorizedError for credentials that are wrong."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "":
                return Grant(None)
            case "basic":
                known = await self.basic(value.strip(), client=client_of(request))
                return Grant(known.account, pushes=known.pushes)
            case "bearer" | "token":
                return await self._bearer(value.strip())
        raise UnauthorizedError(f"Authorization by {scheme[:20]!r} is not known here; use Basic or Bearer.")

    async def basic(self, encoded: str, *, client: str) -> Known:
        """Return whose Basic credentials they are. Raises UnauthorizedError."""
        try:
            username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise UnauthorizedError("The Basic credentials cannot be read.") from error
        known = None
        if colon and password:
            known = await self.identity.authenticate(username, password, client=client)
        if known is None:
            raise UnauthorizedError(
                "The user name or the password is wrong.",
                hint="The password is one of the account's API tokens, or the account's password.",
            )
        return known

    async def _bearer(self, token: str) -> Grant:
        if token.startswith(API_TOKEN_PREFIX):
            known = await self.identity.by_token(token)
            if known is None:
                raise UnauthorizedError("The API token is not valid.")
            return Grant(known.account, pushes=known.pushes)
        claims = self.signer.read(token)
        if claims.account_id is None:
            return Grant(None, claims)
        account = await self.identity.account(claims.account_id)
        if account is None:
            raise UnauthorizedError("The account of this token is no more.")
        return Grant(account, claims)

    async def may_pull(self, grant: Grant, repository: str) -> bool:
        """Whether the account may read there: what it may see, and what it is about to make."""
        if await self.access.may_pull(grant.account, repository):
            return True
        return grant.account is not None and await self.access.push_refusal(grant.account, repository) is None

    async def require_pull(self, request: Request, repository: str) -> Grant:
        """Return the grant of a request that may read a repository.

        Raises UnauthorizedError where logging in may help, NameUnknownError where it does not: a private repository
        answers as one that does not exist.
        """
        with _asking_for(request, Scope(repository, frozenset({PULL}))):
            grant = await self.grant(request)
            if await self.may_pull(grant, repository):
                _require_scope(grant, repository, PULL)
                return grant
            if grant.account is None:
                raise UnauthorizedError("Log in to read this repository.")
            raise NameUnknownError(repository)

    async def require_push(self, request: Request, repository: str, action: str = PUSH) -> Account:
        """Return the account of a request that may write to a repository. Raises UnauthorizedError, DeniedError."""
        with _asking_for(request, Scope(repository, frozenset({PULL, action}))):
            grant = await self.grant(request)
            if grant.account is None:
                raise UnauthorizedError("Log in to push.")
            concerns(request, actor=grant.account)
            if not grant.pushes:
                raise DeniedError("This token's scope lets it pull; one of scope 'write' pushes.")
            refusal = await self.access.push_refusal(grant.account, repository)
            if refusal is not None:
                raise DeniedError(refusal, detail={"name": repository, "account": grant.account.username})
            if not (action == DELETE and grant.asked_for(repository, PUSH)):
                _require_scope(grant, repository, action)
            return grant.account

    async def granted(self, grant: Grant, scope: Scope) -> Scope:
        """Return the part of a scope that who asks may have."""
        actions, account = set[str](), grant.account
        pushes = (
            grant.pushes
            and account is not None
            and await self.access.push_refusal(account, scope.repository) is None
        )
        if pushes:
            actions = {PULL, PUSH, DELETE}
        elif PULL in scope.actions and await self.access.may_pull(account, scope.repository):
            actions = {PULL}
        return Scope(scope.repository, scope.actions & actions)


class InsufficientScopeError(UnauthorizedError):
    """The token is good, and was made for something else."""


def _require_scope(grant: Grant, repository: str, action: str) -> None:
    if not grant.asked_for(repository, action):
        raise InsufficientScopeError(f"The token was not made for {action} on {repository}.")


@contextmanager
def _asking_for(request: Request, scope: Scope) -> Iterator[None]:
    """Tell a client that is turned away which token to come back with."""
    try:
        yield
    except UnauthorizedError as error:
        why = "insufficient_scope" if isinstance(error, InsufficientScopeError) else None
        error.headers.update(challenge(request, scope, error=why))
        raise


def challenge(request: Request, scope: Scope | None = None, *, error: str | None = None) -> dict[str, str]:
    """Return the header that tells a client where to get a token, and for what."""
    base = Addresses.of(request).base
    parts = [f'Bearer realm="{base}/registry/token"', f'service="{service_of(base)}"']
    if scope is not None:
        parts.append(f'scope="{scope}"')
    if error is not None:
        parts.append(f'error="{error}"')
    return {"WWW-Authenticate": ",".join(parts)}


def service_of(base: str) -> str:
    """Return what this registry calls itself: its host and port."""
    return base.partition("://")[2]
