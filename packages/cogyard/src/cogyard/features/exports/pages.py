"""The export of an account, by a button."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.exports.routes import download
from cogyard.features.page import read_form, services_of
from cogyard.http import require_account
from cogyard.http.concerns import concerns


async def download_of(request: Request) -> Response:
    """Send all that is the caller's account's."""
    account, form = require_account(request), await read_form(request)
    concerns(request, account.username)
    return download(account, services_of(request).exports.begin(account, images=form.get("images") == "true"))
