"""The network by httpx2: TLS, proxies, and every host but this machine."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache

import httpx2

from cogyard.oci.network import Body, NetworkError, NoConnectionError, Response, UntrustedError

#: A registry may take minutes to check a large blob before it answers.
_TIMEOUT = httpx2.Timeout(60, connect=10, read=600)
_NUMBER = re.compile(r"\A\[Errno -?\d+\] ")
_NO_CONNECTION = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)


@cache
def _certificates() -> ssl.SSLContext:
    """Read the trusted certificates once: a push makes two clients, and this is a good part of what one costs."""
    return httpx2.create_ssl_context()


class HttpxNetwork:
    """A Network over httpx2. `transport` stands for the real one in tests."""

    def __init__(self, *, trust_env: bool, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """`trust_env` says whether proxies that the environment names are used; certificates always are."""
        self._http = httpx2.AsyncClient(
            timeout=_TIMEOUT,
            transport=transport,
            verify=True if transport is not None else _certificates(),
            headers={"Accept-Encoding": "identity"},
            trust_env=trust_env,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    @asynccontextmanager
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = b"", *, follow: bool = False
    ) -> AsyncIterator[Response]:
        """Send a request and give its answer for the length of a block."""
        try:
            async with self._http.stream(
                method, url, headers=headers, content=body, follow_redirects=follow
            ) as response:
                yield _Answer(response)
        except httpx2.TransportError as error:
            raise _translated(error) from None


class _Answer:
    def __init__(self, response: httpx2.Response) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self.url = str(response.url)
        self._response = response

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it is on the wire."""
        try:
            async for chunk in self._response.aiter_raw():
                yield chunk
        except httpx2.TransportError as error:
            raise _translated(error) from None


def _translated(error: httpx2.TransportError) -> NetworkError:
    # `[Errno -2] Name or service not known`: the number says nothing to whoever reads it.
    reason = _NUMBER.sub("", str(error)) or type(error).__name__
    if _is_distrust(error):
        return UntrustedError(reason)
    return NoConnectionError(reason) if isinstance(error, _NO_CONNECTION) else NetworkError(reason)


def _is_distrust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
