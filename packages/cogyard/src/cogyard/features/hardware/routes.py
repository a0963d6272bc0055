"""The hardware API."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.page import services_of
from cogyard.http.endpoints import Access, Endpoint, reply


async def listing(request: Request) -> Response:
    """List what is offered: a bare array, the only list without pages (wire gotcha 16)."""
    offered = await services_of(request).hardware.list()
    return reply([{"sku": each.sku, "name": each.name} for each in offered])


ENDPOINTS = (
    Endpoint(
        method="GET", path="/hardware", handler=listing, access=Access.ACCOUNT, operation="hardware.list"
    ),
)
