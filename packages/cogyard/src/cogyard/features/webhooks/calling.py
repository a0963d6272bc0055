"""Calling addresses that strangers chose: only those the operator permits, whatever a name stands for meanwhile.

The name is resolved here, every address it stands for is checked, and the connection goes to the address that was
checked: a name server that answers differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from cogyard.domain.webhooks import Targets
from cogyard.features.webhooks.ports import CallFailedError

TIMEOUT_SECONDS = 10.0

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolved(host: str, port: int) -> list[str]:
    """Return the addresses that a name stands for."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[4][0]) for place in found]


@dataclass(frozen=True, kw_only=True)
class HttpCaller:
    """Sends POSTs. Call `close()` when done."""

    targets: Targets
    resolve: Resolve = resolved
    transport: httpx2.AsyncBaseTransport | None = None
    _kept: list[httpx2.AsyncClient] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and return the status; the answer's body is not read."""
        if (problem := self.targets.problem(url)) is not None:
            raise CallFailedError(problem)
        try:
            named = httpx2.URL(url)
            host, netloc = named.raw_host.decode("ascii"), named.netloc.decode("ascii")
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise CallFailedError("it is no address that can be called") from error
        secure = named.scheme == "https"
        address = await self._permitted(host, named.port or (443 if secure else 80))
        target = named.copy_with(host=address)
        extensions: dict[str, Any] = {"sni_hostname": host} if secure else {}
        request = self._client.build_request(
            "POST", target, content=body, headers={**headers, "Host": netloc}, extensions=extensions
        )
        try:
            response = await self._client.send(request, stream=True)
        except (httpx2.HTTPError, OSError) as error:
            raise CallFailedError(f"it cannot be reached: {type(error).__name__}") from error
        await response.aclose()
        return response.status_code

    async def close(self) -> None:
        """Close connections."""
        while self._kept:
            await self._kept.pop().aclose()

    @property
    def _client(self) -> httpx2.AsyncClient:
        # Made at the first call: reading certificates takes longer than starting the platform.
        if not self._kept:
            transport = self.transport or httpx2.AsyncHTTPTransport(trust_env=False)
            self._kept.append(
                httpx2.AsyncClient(transport=transport, timeout=TIMEOUT_SECONDS, follow_redirects=False)
            )
        return self._kept[0]

    async def _permitted(self, host: str, port: int) -> str:
        try:
            addresses = await asyncio.wait_for(self.resolve(host, port), TIMEOUT_SECONDS)
        except (OSError, UnicodeError) as error:
            raise CallFailedError(f"{host} is not known") from error
        refused = [address for address in addresses if not self.targets.permits(address)]
        if refused or not addresses:
            raise CallFailedError(f"{host} stands for a private address, which this platform does not call")
        return addresses[0]
