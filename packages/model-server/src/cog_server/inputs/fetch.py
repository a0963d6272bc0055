"""Fetch input files over http(s): the one place of this package that opens connections for a caller.

Every hop is resolved here, all its addresses are checked against the operator's rule, and the connection is made to the
address that was checked (a second look-up could answer otherwise). Size, time and redirects are limited.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from cog_server.errors import InputFetchError
from cog_server.inputs.addresses import AddressRule, Target, target
from cog_server.names import name_from_url
from cog_server.threads import in_thread

if TYPE_CHECKING:
    import ssl

    from cog_server.http_client import httpx

MAX_BYTES = 10 << 30
"""Largest file that is fetched."""
MAX_REDIRECTS = 5
TOTAL_SECONDS = 3600.0
IDLE_SECONDS = 30.0
ATTEMPTS = 3
_AT_ONCE = 8
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WRITE_AT = 1 << 20
_FAILED_FOR_US = 424
"""How who fetches for this server (a host that the operator named) says that it could not; the reason is the body."""
_REASON_LIMIT = 1000

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Return all addresses of a host, in the system's order. Raises InputFetchError when there is none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise InputFetchError(f"the host {host!r} cannot be found") from exc
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Fetcher:
    """Fetch files; one for a server. The HTTP library is loaded when the first URL is seen."""

    def __init__(
        self,
        rule: AddressRule,
        *,
        max_bytes: int = MAX_BYTES,
        resolver: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`trust` stands for the usual certificates in tests."""
        self._rule = rule
        self._trust = trust
        self._max_bytes = max_bytes
        self._resolve = resolver
        self._agent = os.environ.get("COG_USER_AGENT") or "cog-server"
        self._client: httpx.AsyncClient | None = None
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, url: str, folder: Path) -> Path:
        """Store what `url` names in `folder` and return the file. Raises InputFetchError."""
        target(url)  # a malformed URL is told before waiting for a place
        async with self._places:
            try:
                return await asyncio.wait_for(self._fetch(url, folder), TOTAL_SECONDS)
            except ValueError as exc:
                raise InputFetchError(f"this is not a URL that can be fetched: {type(exc).__name__}") from exc
            except asyncio.TimeoutError as exc:
                raise InputFetchError(f"the file took longer than {TOTAL_SECONDS:.0f} s to fetch") from exc

    async def close(self) -> None:
        """Close idle connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _fetch(self, url: str, folder: Path) -> Path:
        current = url
        for _ in range(MAX_REDIRECTS + 1):
            where = target(current)
            addresses = self._rule.check(where, await self._resolve(where.host, where.port))
            following = await self._try(current, where, addresses, folder)
            if isinstance(following, Path):
                return following
            current = urljoin(current, following)
        raise InputFetchError(f"the URL redirects more than {MAX_REDIRECTS} times")

    async def _try(self, url: str, where: Target, addresses: list[str], folder: Path) -> Path | str:
        """Ask for one hop: the file, or where it says to go. Connection failures are tried again."""
        from cog_server.http_client import httpx

        if self._client is None:
            # No proxy and no credentials from the environment: a caller's URL is none of the operator's.
            timeout = httpx.Timeout(IDLE_SECONDS)
            self._client = httpx.AsyncClient(
                trust_env=False, follow_redirects=False, timeout=timeout, verify=self._trust or True
            )
        for attempt in range(ATTEMPTS):
            address = addresses[attempt % len(addresses)]
            request = self._request(self._client, url, where, address)
            try:
                response = await self._client.send(request, stream=True)
            except httpx.HTTPError as exc:
                if attempt == ATTEMPTS - 1:
                    raise InputFetchError(f"{where.host} did not answer ({type(exc).__name__})") from exc
                await asyncio.sleep(0.2 * 2**attempt)
                continue
            try:
                if response.status_code in _REDIRECTS and "location" in response.headers:
                    return str(response.headers["location"])
                if response.status_code >= 500 and attempt < ATTEMPTS - 1:
                    await asyncio.sleep(0.2 * 2**attempt)
                    continue
                if response.status_code == _FAILED_FOR_US and self._rule.exempts(where):
                    raise InputFetchError(await _reason(response))
                if response.status_code != 200:
                    raise InputFetchError(f"{where.host} answered {response.status_code} for the input's URL")
                return await self._store(response, url, folder)
            except httpx.HTTPError as exc:
                raise InputFetchError(f"the file from {where.host} broke off ({type(exc).__name__})") from exc
            finally:
                await response.aclose()
        raise InputFetchError(f"{where.host} did not answer")

    def _request(self, client: httpx.AsyncClient, url: str, where: Target, address: str) -> httpx.Request:
        """Build a request that goes to `address` and still names the host, in its header and its certificate."""
        from cog_server.http_client import httpx

        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as exc:
            raise InputFetchError(f"{where.host} is asked for with a URL that is malformed: {exc}") from exc
        host_header = parsed.netloc.decode("ascii")
        secure = where.scheme == "https"
        extensions: dict[str, Any] = {"sni_hostname": where.host} if secure else {}
        headers = {
            "Host": host_header,
            "User-Agent": self._agent,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        if secure:
            # Kept connections are found by address: the next host there would be asked on one where the certificate
            # of this one was looked at, and its own never.
            headers["Connection"] = "close"
        return client.build_request(
            "GET", parsed.copy_with(host=address), headers=headers, extensions=extensions
        )

    async def _store(self, response: httpx.Response, url: str, folder: Path) -> Path:
        length = response.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_bytes:
            raise InputFetchError(f"the file is {length} bytes; at most {self._max_bytes} are fetched")
        path = folder / name_from_url(url, response.headers.get("content-type"))
        taken = 0
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            async for chunk in response.aiter_raw(_WRITE_AT):
                taken += len(chunk)
                if taken > self._max_bytes:
                    raise InputFetchError(f"the file is larger than the limit of {self._max_bytes} bytes")
                await in_thread(_write_all, fd, chunk)
        finally:
            os.close(fd)
        return path


async def _reason(response: httpx.Response) -> str:
    said = b""
    async for chunk in response.aiter_raw(_REASON_LIMIT):
        said += chunk
        if len(said) >= _REASON_LIMIT:
            break
    return said[:_REASON_LIMIT].decode(errors="replace") or "it could not be fetched, and no reason was given"


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
