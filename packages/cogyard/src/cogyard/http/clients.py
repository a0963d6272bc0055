"""Where a request comes from, as far as that can be believed; for limits, never for permissions."""

from __future__ import annotations

import ipaddress

from starlette.requests import HTTPConnection

#: What one customer of a provider has: all of it is one client.
_IPV6_NETWORK = 64


def client_of(request: HTTPConnection) -> str:
    """Return the client's address, of IPv6 its /64 network; empty when it is not known.

    Behind a trusted proxy it is what the proxy says (`cogyard.web.proxies`).
    """
    return _network(request.client.host if request.client is not None else "")


def _network(text: str) -> str:
    try:
        address = ipaddress.ip_address(text[:64].strip("[]").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _IPV6_NETWORK), strict=False))
