"""Where a request comes from, as far as that can be believed; for limits, never for permissions."""

from __future__ import annotations

import ipaddress

from starlette.requests import HTTPConnection

#: What one customer of a provider has: all of it is one client.
_IPV6_NETWORK = 64


def client_of(request: HTTPConnection) -> str:
    """Return the client's address, of IPv6 its /64 network; empty when it is not known.

    What a proxy says in X-Forwarded-For counts only when the operator trusts the proxy, and of that only the last
    address: the proxy wrote it, while those before it are whatever the client sent.
    """
    direct = request.client.host if request.client is not None else ""
    settings = getattr(request.app.state, "web", None) if "app" in request.scope else None
    if getattr(settings, "trusts_proxy", False):
        forwarded = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2]
        return _network(forwarded.strip()) or _network(direct)
    return _network(direct)


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
