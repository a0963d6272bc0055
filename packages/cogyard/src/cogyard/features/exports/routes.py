"""The export of an account, as a download."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope as TokenScope
from cogyard.domain.values import Account
from cogyard.features.exports.service import Export
from cogyard.features.page import services_of
from cogyard.http.caller import require_account
from cogyard.http.concerns import concerns
from cogyard.http.endpoints import Access, Endpoint
from cogyard.http.errors import BadRequestError

MEDIA_TYPE = "application/x-tar"
_TRUTHS = {"": False, "false": False, "true": True}


async def export(request: Request) -> Response:
    """Return all that is the caller's account's as a tar file."""
    account = require_account(request)
    wanted = request.query_params.get("images", "")
    if wanted not in _TRUTHS:
        raise BadRequestError(f"images is {wanted[:40]!r}; it is true or false.")
    if request.method == "HEAD":
        return Response(headers=_headers(account), media_type=MEDIA_TYPE)
    concerns(request, account.username)
    return download(account, services_of(request).exports.begin(account, images=_TRUTHS[wanted]))


def download(account: Account, export: Export) -> Response:
    """Answer with an export, which ends with the answer."""
    return _Download(export, headers=_headers(account), media_type=MEDIA_TYPE)


def _headers(account: Account) -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{account.username}.tar"',
        "X-Content-Type-Options": "nosniff",
    }


class _Download(StreamingResponse):
    """An export on its way to whoever asked."""

    def __init__(self, export: Export, *, headers: dict[str, str], media_type: str) -> None:
        super().__init__(export, headers=headers, media_type=media_type)
        self._export = export

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and end it when that ends, however it ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._export.close()


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/account/export",
        handler=export,
        access=Access.ACCOUNT,
        operation="account.export",
        scope=TokenScope.WRITE,
        role=Role.OWNER,
    ),
)
