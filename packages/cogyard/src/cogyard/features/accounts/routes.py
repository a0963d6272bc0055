"""The account API: who the token is."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.values import Account
from cogyard.features.page import services_of
from cogyard.http.caller import require_account
from cogyard.http.endpoints import Access, Endpoint, reply


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


ENDPOINTS = (
    Endpoint(method="GET", path="/account", handler=current, access=Access.ACCOUNT, operation="account.get"),
    Endpoint(
        method="GET",
        path="/webhooks/default/secret",
        handler=webhook_secret,
        access=Access.ACCOUNT,
        operation="webhooks.default.secret.get",
    ),
)
