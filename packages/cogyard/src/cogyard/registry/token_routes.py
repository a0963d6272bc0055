"""Where clients get tokens: `/registry/token` for OCI tools, `/cog/v1/…` for Cog's own login."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.http.addresses import Addresses
from cogyard.http.clients import client_of
from cogyard.registry import bodies
from cogyard.registry.authorization import Grant
from cogyard.registry.context import Context
from cogyard.registry.errors import UnauthorizedError
from cogyard.registry.names import Target
from cogyard.registry.tokens import Claims, parse_scopes

FORM_LIMIT = 64 << 10


async def issue_token(context: Context, request: Request, _: Target) -> Response:
    """Answer GET: a token for the Basic credentials, or for anyone without them."""
    grant = await context.guard.grant(request)
    return await _issue(context, grant, request.query_params.getlist("scope"))


async def issue_token_oauth(context: Context, request: Request, _: Target) -> Response:
    """Answer POST, OAuth 2's way: `grant_type=password` with `username` and `password` in the form."""
    form = await _form(context, request)
    if form.get("grant_type", ["password"])[0] != "password":
        return _json({"error": "unsupported_grant_type"}, 400)
    username, password = form.get("username", [""])[0], form.get("password", [""])[0]
    if username or password:
        known = await context.guard.identity.authenticate(username, password, client=client_of(request))
        if known is None:
            raise UnauthorizedError("The user name or the password is wrong.")
        grant = Grant(known.account, pushes=known.pushes)
    else:
        grant = await context.guard.grant(request)
    return await _issue(context, grant, form.get("scope", []))


async def display_token_url(_: Context, request: Request, __: Target) -> Response:
    """Answer GET: the page where a person finds a token to paste into `cog login`."""
    return _json({"url": f"{Addresses.of(request).base}/auth/token"})


async def verify_token(context: Context, request: Request, _: Target) -> Response:
    """Answer POST: whose token it is, or 404."""
    form = await _form(context, request)
    known = await context.guard.identity.by_token(form.get("token", [""])[0].strip())
    if known is None:
        return _json({"detail": "This token is not valid."}, 404)
    return _json({"username": known.account.username})


async def _issue(context: Context, grant: Grant, scopes: list[str]) -> Response:
    granted = [await context.guard.granted(grant, scope) for scope in parse_scopes(scopes)]
    claims = Claims(
        grant.account.id if grant.account else None, tuple(scope for scope in granted if scope.actions)
    )
    token = context.guard.signer.issue(claims)
    return _json(
        {
            "token": token,
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": context.guard.signer.lifetime,
            "issued_at": _rfc3339(context.clock()),
            "scope": " ".join(map(str, claims.scopes)),
        }
    )


async def _form(context: Context, request: Request) -> dict[str, list[str]]:
    body = await bodies.read(request, limit=FORM_LIMIT, what="The form", idle=context.idle_seconds)
    try:
        return parse_qs(body.decode(), max_num_fields=100)
    except ValueError:
        return {}


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: Any, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )
