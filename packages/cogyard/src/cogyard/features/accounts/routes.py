"""The account API: who the token is."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account, ApiToken
from cogyard.features.page import services_of
from cogyard.http.bodies import read_json
from cogyard.http.caller import require_account
from cogyard.http.concerns import concerns
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.errors import NotFoundError
from cogyard.http.moments import written

BODY_LIMIT = 10_000
MAX_LIFE = 10 * 365 * 86400


def account_json(account: Account) -> dict[str, Any]:
    """Shape an account; the oldest client insists on `name` (wire gotcha 8)."""
    return {
        "type": account.type,
        "username": account.username,
        "name": account.name,
        "avatar_url": account.avatar_url,
        "github_url": account.github_url,
    }


async def current(request: Request) -> Response:
    """Return the caller's account."""
    return reply(account_json(require_account(request)))


async def webhook_secret(request: Request) -> Response:
    """Return what the caller's webhooks are signed with."""
    secret = await services_of(request).accounts.webhook_secret(require_account(request).id)
    return reply({"key": secret})


async def rotate_webhook_secret(request: Request) -> Response:
    """Give the caller a new signing secret; the one before signs beside it for a day."""
    return reply({"key": await services_of(request).accounts.rotate_webhook_secret(require_account(request))})


class AskedToken(msgspec.Struct):
    """The body of tokens.create. `expires_in` is in seconds; without it the token does not expire."""

    name: str
    scope: Scope = Scope.WRITE
    expires_in: Annotated[int, msgspec.Meta(ge=60, le=MAX_LIFE)] | None = None


def token_json(token: ApiToken) -> dict[str, Any]:
    """Shape a token without its secret."""
    return {
        "id": str(token.id),
        "name": token.name,
        "scope": token.scope.value,
        "tail": token.tail,
        "created_at": written(token.created_at),
        "expires_at": written(token.expires_at),
        "last_used_at": written(token.last_used_at),
    }


async def tokens(request: Request) -> Response:
    """List the caller's tokens, without their secrets."""
    found = await services_of(request).accounts.tokens(require_account(request))
    return reply({"next": None, "previous": None, "results": [token_json(token) for token in found]})


async def create_token(request: Request) -> Response:
    """Make a token; its secret is in this answer and never again."""
    body = await read_json(request, AskedToken, limit=BODY_LIMIT)
    concerns(request, body.name)
    accounts = services_of(request).accounts
    life = None if body.expires_in is None else timedelta(seconds=body.expires_in)
    secret, kept = await accounts.make_token(
        require_account(request),
        body.name,
        scope=body.scope,
        expires_at=None if life is None else accounts.world.now() + life,
    )
    return reply({**token_json(kept), "token": secret}, 201)


async def revoke_token(request: Request) -> Response:
    """End a token at once."""
    revoked = await services_of(request).accounts.revoke(require_account(request), request.path_params["id"])
    if not revoked:
        raise NotFoundError
    return Response(status_code=204)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/webhooks/default/secret/rotate",
        handler=rotate_webhook_secret,
        access=Access.ACCOUNT,
        operation="webhooks.default.secret.rotate",
        role=Role.ADMIN,
    ),
    # A token that only looks must not show what else there is to steal.
    Endpoint(
        method="GET",
        path="/tokens",
        handler=tokens,
        access=Access.ACCOUNT,
        operation="tokens.list",
        scope=Scope.WRITE,
        role=Role.ADMIN,
    ),
    Endpoint(
        method="POST",
        path="/tokens",
        handler=create_token,
        access=Access.ACCOUNT,
        operation="tokens.create",
        role=Role.ADMIN,
    ),
    Endpoint(
        method="DELETE",
        path="/tokens/{id}",
        handler=revoke_token,
        access=Access.ACCOUNT,
        operation="tokens.revoke",
        role=Role.ADMIN,
    ),
    Endpoint(method="GET", path="/account", handler=current, access=Access.ACCOUNT, operation="account.get"),
    Endpoint(
        method="GET",
        path="/webhooks/default/secret",
        handler=webhook_secret,
        access=Access.ACCOUNT,
        operation="webhooks.default.secret.get",
        scope=Scope.WRITE,
    ),
)
