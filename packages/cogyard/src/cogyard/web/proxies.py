"""What a proxy says about the request that it passes on, and whether it is believed.

Theory of operation: `X-Forwarded-*` headers are words that anyone can send. They count when the connection itself
comes from a trusted proxy; else they are dropped, so that nothing behind this door can fall for them. Of several
values the last counts, which the nearest proxy wrote. `X-Forwarded-For` is read from its end, as long as it names
trusted proxies: the first address that is not one is the client, and what stands before it is the client's own word.
`Forwarded` and all else of that kind is dropped too: a second way to say the same is a second way to lie.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from cogyard.web.settings import Network

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_FORWARDED = (b"x-forwarded-", b"forwarded")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([\d.]+):\d{1,5})")
#: A longer list is nobody's chain of proxies.
_MOST_HOPS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """What a trusted proxy says; None is what it does not."""

    client: str | None = None
    scheme: str | None = None
    host: str | None = None


def believed(peer: str, headers: Mapping[str, Sequence[str]], trusted: Sequence[Network]) -> Reached:
    """Return what may be believed of a connection from `peer`; header names are in lower case."""
    address = _address(peer)
    if address is None or not _is_in(address, trusted):
        return Reached()
    scheme = _last(headers.get("x-forwarded-proto", ())).lower()
    host = _last(headers.get("x-forwarded-host", ()))
    return Reached(
        client=_client(headers.get("x-forwarded-for", ()), trusted),
        scheme=scheme if scheme in {"http", "https"} else None,
        host=host if _HOST.fullmatch(host) else None,
    )


class Proxied:
    """Middleware that puts what is believed where everything else looks for it, and drops the headers."""

    def __init__(self, app: ASGIApp, *, trusted: Sequence[Network]) -> None:
        self.app = app
        self.trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrite the scope in place, so that the log of requests shows the client too."""
        if scope["type"] == "http":
            self._rewrite(scope)
        await self.app(scope, receive, send)

    def _rewrite(self, scope: Scope) -> None:
        said = [pair for pair in scope["headers"] if pair[0].startswith(_FORWARDED)]
        if not said:
            return
        headers = dict[str, list[str]]()
        for name, value in said:
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        client = scope.get("client")
        reached = believed(client[0] if client else "", headers, self.trusted)
        kept = [pair for pair in scope["headers"] if not pair[0].startswith(_FORWARDED)]
        if reached.host is not None:
            kept = [pair for pair in kept if pair[0] != b"host"] + [(b"host", reached.host.encode("ascii"))]
        scope["headers"] = kept
        if reached.scheme is not None:
            scope["scheme"] = reached.scheme
        if reached.client is not None:
            scope["client"] = (reached.client, 0)


def _client(lines: Sequence[str], trusted: Sequence[Network]) -> str | None:
    found: str | None = None
    for word in reversed(",".join(lines).split(",")[-_MOST_HOPS:]):
        address = _address(word.strip())
        if address is None:
            # Whoever stands behind the last proxy that said something sensible is not known.
            break
        found = str(address)
        if not _is_in(address, trusted):
            break
    return found


def _last(lines: Sequence[str]) -> str:
    return ",".join(lines).rpartition(",")[2].strip()


def _is_in(address: _Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> _Address | None:
    if (match := _WITH_PORT.fullmatch(text[:64])) is not None:
        text = match[1] or match[2]
    try:
        address = ipaddress.ip_address(text[:64].partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
