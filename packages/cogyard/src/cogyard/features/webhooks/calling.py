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

#: A whole call, however its target spends them. One that answers a byte at a time never lets a wait for the next end.
TIMEOUT_SECONDS = 10.0
#: Of a name that stands for many: a call has an end.
MOST_ADDRESSES = 4

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
    seconds: float = TIMEOUT_SECONDS
    _kept: list[httpx2.AsyncClient] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and return the status; the answer's body is not read."""
        if (problem := self.targets.problem(url)) is not None:
            raise CallFailedError(problem)
        try:
            async with asyncio.timeout(self.seconds):
                return await self._post(url, body, headers)
        except TimeoutError as error:
            raise CallFailedError(f"it did not answer within {self.seconds:g} seconds") from error

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            named = httpx2.URL(url)
            host, netloc = named.raw_host.decode("ascii"), named.netloc.decode("ascii")
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise CallFailedError("it is no address that can be called") from error
        secure = named.scheme == "https"
        addresses = await self._permitted(host, named.port or (443 if secure else 80))
        extensions: dict[str, Any] = {"sni_hostname": host} if secure else {}
        reason = ""
        for address in addresses[:MOST_ADDRESSES]:
            request = self._client.build_request(
                "POST",
                named.copy_with(host=address),
                content=body,
                # A connection is for this name alone: another's certificate may not have been looked at on it.
                headers={**headers, "Host": netloc, "Connection": "close"},
                extensions=extensions,
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                # Nobody has heard anything: the name's next address may be one that can be reached.
                reason = f"it cannot be reached: {_said(error)}"
                continue
            except (httpx2.HTTPError, OSError) as error:
                raise CallFailedError(f"it broke off: {_said(error)}") from error
            await response.aclose()
            return response.status_code
        raise CallFailedError(reason)

    async def close(self) -> None:
        """Close connections."""
        while self._kept:
            await self._kept.pop().aclose()

    @property
    def _client(self) -> httpx2.AsyncClient:
        # Made at the first call: reading certificates takes longer than starting the platform.
        if not self._kept:
            transport = self.transport or httpx2.AsyncHTTPTransport(trust_env=False)
            timeout = httpx2.Timeout(None, connect=self.seconds / 2)
            self._kept.append(
                httpx2.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False)
            )
        return self._kept[0]

    async def _permitted(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(dict.fromkeys(await self.resolve(host, port)))
        except (OSError, UnicodeError) as error:
            raise CallFailedError(f"{host} is not known") from error
        refused = [address for address in addresses if not self.targets.permits(address)]
        if refused or not addresses:
            raise CallFailedError(f"{host} stands for a private address, which this platform does not call")
        return addresses


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
