"""Where the document is served: to anybody, with the platform's address as the client knows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import Response

from cogyard.http.addresses import Addresses
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.web.openapi.document import document


def endpoint_for(api: Iterable[Endpoint], capabilities: Iterable[Endpoint]) -> Endpoint:
    """Return the endpoint that serves the document of these routes, and of itself."""
    served: list[Endpoint] = []

    async def get(request: Request) -> Response:
        """Return this document."""
        return reply(document(Addresses.of(request).base, (*served, *api), capabilities))

    handler: Callable[[Request], Awaitable[Response]] = get
    served.append(
        Endpoint(
            method="GET",
            path="/openapi.json",
            handler=handler,
            access=Access.ANYONE,
            operation="openapi.get",
        )
    )
    return served[0]
