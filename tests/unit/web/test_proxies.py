"""Whose word about a request counts."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from cogyard.web.proxies import Proxied, Reached, believed
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))


def _client(peer: str, *lines: str) -> str | None:
    return believed(peer, {"x-forwarded-for": lines}, TRUSTED).client


def test_a_stranger_is_not_believed() -> None:
    """Nothing of what somebody else than a trusted proxy says counts."""
    said = {
        "x-forwarded-for": ["1.2.3.4"],
        "x-forwarded-proto": ["https"],
        "x-forwarded-host": ["bank.example"],
    }
    for peer in ("192.0.2.1", "", "testclient", "::2", "10.0.0.0.1"):
        assert believed(peer, said, TRUSTED) == Reached()
    assert believed("10.9.9.9", said, TRUSTED) == Reached(
        client="1.2.3.4", scheme="https", host="bank.example"
    )
    assert believed("::ffff:10.9.9.9", said, TRUSTED).client == "1.2.3.4", (
        "the same address on an IPv6 socket"
    )


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6", "203.0.113.9, 10.0.0.2", "10.0.0.3"], "203.0.113.9"),
        (["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["203.0.113.9, unknown"], None),
        (["nonsense, 10.0.0.2"], "10.0.0.2"),
        ([""], None),
        ([], None),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(
    lines: list[str], client: str | None
) -> None:
    """What stands before it is the client's own word; what makes no sense ends the search."""
    assert _client("10.0.0.1", *lines) == client


@pytest.mark.parametrize(
    ("proto", "host", "expected"),
    [
        ("https", "models.example:8443", ("https", "models.example:8443")),
        ("http, https", "evil.example, models.example", ("https", "models.example")),
        ("HTTPS", "[2001:db8::1]:80", ("https", "[2001:db8::1]:80")),
        ("gopher", "evil.example/path", (None, None)),
        ("", "a@b", (None, None)),
        ("https\r\nx: y", 'h"', (None, None)),
    ],
)
def test_the_nearest_proxys_scheme_and_host_count(
    proto: str, host: str, expected: tuple[str | None, str | None]
) -> None:
    """Of several values the last; what is no scheme or host of ours is not taken."""
    found = believed("::1", {"x-forwarded-proto": [proto], "x-forwarded-host": [host]}, TRUSTED)
    assert (found.scheme, found.host) == expected


@given(st.lists(st.text(max_size=80), max_size=4), st.text(max_size=40), st.text(max_size=300))
def test_no_header_breaks_the_door(lines: list[str], proto: str, host: str) -> None:
    """Whatever is sent, the answer is an address, a scheme and a host, or none."""
    headers = {"x-forwarded-for": lines, "x-forwarded-proto": [proto], "x-forwarded-host": [host]}
    found = believed("10.0.0.1", headers, TRUSTED)
    assert found.client is None or str(ipaddress.ip_address(found.client)) == found.client
    assert found.scheme in {None, "http", "https"}
    assert found.host is None or found.host.isascii()


async def _through(peer: str, headers: dict[str, str]) -> dict[str, Any]:
    scope: dict[str, Any] = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 5),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        return

    await Proxied(app, trusted=TRUSTED)(scope, None, None)  # type: ignore[arg-type]  # nothing is read or sent
    return scope


async def test_what_is_believed_becomes_the_request_and_the_rest_is_gone() -> None:
    """Nothing behind the door sees a forwarded header, believed or not."""
    said = {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "outer.example",
    }
    headers = {"host": "inner", "accept": "*/*", "forwarded": "for=1.1.1.1", "x-forwarded-port": "1", **said}
    ours = await _through("10.0.0.1", headers)
    assert (ours["scheme"], ours["client"]) == ("https", ("203.0.113.9", 0))
    assert ours["headers"] == [(b"accept", b"*/*"), (b"host", b"outer.example")]
    theirs = await _through("203.0.113.5", headers)
    assert (theirs["scheme"], theirs["client"]) == ("http", ("203.0.113.5", 5))
    assert theirs["headers"] == [(b"host", b"inner"), (b"accept", b"*/*")]
