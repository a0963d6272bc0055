"""Which addresses an input URL may lead to: pure rules, no sockets.

A prediction's caller chooses the URL, so it may point at what only this machine can reach: a metadata service, a
database, the server itself. Unless the operator allows it, only addresses of the public internet are fetched, whatever
name led there.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cog_server.errors import InputFetchError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """Where a URL leads: scheme, host name as written, port."""

    scheme: str
    host: str
    port: int


def target(url: str) -> Target:
    """Return where `url` leads. Raises InputFetchError when it is no http(s) URL we would fetch."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise InputFetchError(f"{_shown(url)} is not a URL: {exc}") from exc
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InputFetchError(f"{_shown(url)} is not an http(s) URL with a host")
    return Target(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])


def is_public(address: str) -> bool:
    """Say whether an IP address belongs to the public internet; forms that carry an IPv4 address are looked into."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip.teredo is not None:
            inner = ip.teredo[1]
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


@dataclass(frozen=True, kw_only=True)
class AddressRule:
    """What the operator allows beyond the public internet: everything, or some `host` or `host:port`."""

    allow_private: bool = False
    hosts: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def parse(cls, hosts: str | None, *, allow_private: bool = False) -> AddressRule:
        """Read the comma-separated setting `COG_INPUT_HOSTS`; `*` allows all."""
        names = frozenset(part.strip().lower() for part in (hosts or "").split(",") if part.strip())
        return cls(allow_private=allow_private or "*" in names, hosts=names - {"*"})

    def exempts(self, where: Target) -> bool:
        """Say whether the operator named this host, so that its addresses are not checked."""
        if self.allow_private:
            return True
        host = f"[{where.host}]" if ":" in where.host else where.host
        return bool(self.hosts) and not self.hosts.isdisjoint({where.host, host, f"{host}:{where.port}"})

    def check(self, where: Target, addresses: list[str]) -> list[str]:
        """Return the addresses that may be connected to. Raises InputFetchError when any of them is not public."""
        if not addresses:
            raise InputFetchError(f"the host {where.host!r} has no address")
        if not self.exempts(where):
            for address in addresses:
                if not is_public(address):
                    # The address itself is not told: it would map the operator's network for a stranger.
                    raise InputFetchError(
                        f"the host {where.host!r} is not on the public internet, "
                        "and this server fetches inputs from there only",
                        hint="The operator may name it in COG_INPUT_HOSTS, or the file can be sent as a data URL.",
                    )
        return addresses


def _shown(url: str) -> str:
    """Shorten a URL for a message, without its query, which may hold a secret."""
    text = url.partition("?")[0]
    return repr(text if len(text) <= 120 else text[:117] + "...")
