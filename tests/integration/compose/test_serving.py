"""How the platform's connections are kept."""

from __future__ import annotations

import socket

from cogyard.compose.serving import Door, _server
from starlette.types import Receive, Scope, Send

#: Caddy's; nginx has 60 seconds, Go's and Traefik's clients 90.
LONGEST_OF_PROXIES = 120


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive, send


def test_an_idle_connection_is_closed_by_the_proxy_first() -> None:
    """Else a request that the proxy sends at that moment is lost, and its client gets a 502."""
    with socket.socket() as listening:
        server = _server(_nothing, Door(listening), access_log=False)
    assert server.config.timeout_keep_alive > LONGEST_OF_PROXIES
