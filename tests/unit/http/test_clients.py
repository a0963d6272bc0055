"""A limit by address counts a client once, and believes no stranger about it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from cogyard.http.clients import client_of
from starlette.applications import Starlette
from starlette.requests import Request


def _asked(host: str | None, forwarded: tuple[str, ...] = (), *, trusts_proxy: bool = False) -> str:
    app = Starlette()
    app.state.web = SimpleNamespace(trusts_proxy=trusts_proxy)
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    client = None if host is None else (host, 1)
    return client_of(Request({"type": "http", "headers": headers, "client": client, "app": app}))


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", ""),
        (None, ""),
    ],
)
def test_a_client_is_its_address_or_network(host: str | None, found: str) -> None:
    """Whoever has an IPv6 network cannot count as many; what is no address is unknown."""
    assert _asked(host) == found


def test_only_a_trusted_proxy_says_who_is_behind_it() -> None:
    """And only the last address is the proxy's word."""
    lines = ("203.0.113.1, 203.0.113.2", "198.51.100.9")
    assert _asked("192.0.2.7", lines) == "192.0.2.7"
    assert _asked("192.0.2.7", lines, trusts_proxy=True) == "198.51.100.9"
    assert _asked("192.0.2.7", ("nonsense",), trusts_proxy=True) == "192.0.2.7"
    assert _asked("192.0.2.7", trusts_proxy=True) == "192.0.2.7"
