"""A limit by address counts a client once, and believes no stranger about it."""

from __future__ import annotations

import pytest
from cogyard.http.clients import client_of
from starlette.requests import Request


def _asked(host: str | None) -> str:
    headers = [(b"x-forwarded-for", b"203.0.113.1")]
    client = None if host is None else (host, 1)
    return client_of(Request({"type": "http", "headers": headers, "client": client}))


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
