"""Talk to one registry: the shell around the flows. It sends, waits, retries and authorizes."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

from cogyard.oci import bodies, refusals, retry
from cogyard.oci.attempts import Attempts, PassingError, UnauthorizedError, UnreachableError
from cogyard.oci.authorization import (
    Challenge,
    Credential,
    Scope,
    is_loopback,
    read_challenge,
    read_token,
    token_url,
)
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import (
    DigestMismatchError,
    NotARegistryError,
)
from cogyard.oci.exchange import Answer, Call, Flow
from cogyard.oci.layout import ImageStore
from cogyard.oci.network import Network, NetworkError, NoConnectionError, Response, UntrustedError
from cogyard.oci.reference import DEFAULT_HOST

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

#: A token is asked for anew this many seconds before it ends.
_MARGIN = 10.0
_PORTS = {"http": 80, "https": 443}
_HOSTS = {DEFAULT_HOST: "registry-1.docker.io"}


class RegistryClient:
    """A connection to one registry; use as an async context manager."""

    def __init__(
        self,
        host: str,
        *,
        credential: Credential | None = None,
        insecure: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`host` is HOST[:PORT].

        http is spoken where `insecure` says so, and to this machine unless what listens there does not answer it;
        https otherwise.
        """
        self.host = host
        self.base = f"{'http' if insecure or is_loopback(host) else 'https'}://{_HOSTS.get(host, host)}"
        self._guessed = is_loopback(host) and not insecure
        self.credential = credential
        self._challenge: Challenge | None = None
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}
        self._attempts = Attempts(host, sleep)
        self._network = _network(host, transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._network.close()

    @property
    def challenged(self) -> bool:
        """Whether the registry has asked who we are, in this connection."""
        return self._challenge is not None

    async def run(
        self, flow: Callable[[], Flow[T]], *scopes: Scope, on_sent: Callable[[int], None] | None = None
    ) -> T:
        """Carry a conversation to its end, from its beginning again after passing failures.

        `on_sent` hears how many bytes of a file have been handed to the network, counted from the file's beginning.
        Raises RegistryError subclasses.
        """
        return await self._attempts.run(lambda: self._drive(flow(), scopes, on_sent))

    async def pull_blob(self, repository: str, blob: Descriptor, store: ImageStore) -> None:
        """Fetch a blob into the store, whole and checked; nothing happens when it is there.

        Raises DigestMismatchError when something else comes.
        """
        if store.has(blob):
            return
        with store.writer() as writer:
            digest, done = hashlib.sha256(), 0

            async def attempt() -> None:
                nonlocal done
                url = f"/v2/{repository}/blobs/{blob.digest}"
                async for chunk in self._chunks(repository, url, done, blob):
                    done += len(chunk)
                    if done > blob.size:
                        raise DigestMismatchError(
                            f"the registry sends more than the {blob.size} bytes of {blob.digest}"
                        )
                    digest.update(chunk)
                    writer.file.write(chunk)
                if done < blob.size:
                    raise PassingError(f"only {done} of {blob.size} bytes came")

            await self._attempts.run(attempt)
            if f"sha256:{digest.hexdigest()}" != blob.digest:
                raise DigestMismatchError(
                    f"the registry sent sha256:{digest.hexdigest()} where {blob.digest} was asked for",
                    hint="The blob is broken on the registry or on the way. Nothing was kept.",
                )
            writer.commit(blob.digest)

    async def _chunks(self, repository: str, url: str, start: int, blob: Descriptor) -> AsyncIterator[bytes]:
        """Yield a blob's bytes from `start` on, following the registry to where it keeps them."""
        scopes = (Scope(repository=repository),)
        headers = await self._authorized(scopes)
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            async with self._network.send("GET", self.base + url, headers, follow=True) as response:
                self._attempts.answered = True
                if response.status == 401 and self._learn(response, scopes):
                    raise UnauthorizedError("authorization was needed")
                if response.status in retry.PASSING:
                    raise PassingError(f"it answered {response.status}", response.headers.get("retry-after"))
                if response.status not in {200, 206}:
                    answer = await bodies.answer(response)
                    refusals.refuse(answer, f"blob {blob.digest} of {repository}", self.host, self.credential)
                skip = start if response.status == 200 else 0
                async for chunk in response.chunks():
                    if skip >= len(chunk):
                        skip -= len(chunk)
                        continue
                    yield chunk[skip:]
                    skip = 0
        except NetworkError as error:
            raise PassingError(str(error)) from None

    async def _drive(
        self, flow: Flow[T], scopes: tuple[Scope, ...], on_sent: Callable[[int], None] | None
    ) -> T:
        try:
            call = next(flow)
            while True:
                call = flow.send(await self._send(call, scopes, on_sent))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            flow.close()

    async def _send(
        self, call: Call, scopes: tuple[Scope, ...], on_sent: Callable[[int], None] | None
    ) -> Answer:
        url, own = self._resolve(call.url)
        for authorized in (False, True):
            headers = {**call.headers, **(await self._authorized(scopes) if own else {})}
            try:
                async with self._network.send(
                    call.method,
                    url,
                    headers,
                    bodies.content(call, on_sent),
                    follow=call.method in {"GET", "HEAD"},
                ) as response:
                    self._attempts.answered = True
                    answer = await bodies.answer(response)
                    if answer.status == 401 and own and not authorized and self._learn(response, scopes):
                        continue
            except NoConnectionError as error:
                raise UnreachableError(str(error), untrusted=isinstance(error, UntrustedError)) from None
            except NetworkError as error:
                if (by_https := await self._by_https(call, scopes, on_sent)) is not None:
                    return by_https
                raise PassingError(str(error)) from None
            break
        if answer.status in retry.PASSING:
            raise PassingError(
                f"it answered {answer.status}{refusals.said(answer)}", answer.headers.get("retry-after")
            )
        if answer.status >= 400 and not call.refusals:
            refusals.refuse(answer, call.what or call.url, self.host, self.credential)
        return answer

    async def _by_https(
        self, call: Call, scopes: tuple[Scope, ...], on_sent: Callable[[int], None] | None
    ) -> Answer | None:
        """Try https, once, where http was a guess and was not answered; None where that is no answer either."""
        if self._attempts.answered or not self._guessed:
            return None
        self._guessed, by_http = False, self.base
        self.base = by_http.replace("http:", "https:", 1)
        try:
            return await self._send(call, scopes, on_sent)
        except UnreachableError as error:
            if error.untrusted:
                raise
        except PassingError:
            pass
        self.base = by_http
        return None

    def _resolve(self, url: str) -> tuple[str, bool]:
        """Return the whole address, and whether it is the registry's own, which may see our token."""
        base = urlsplit(self.base)
        try:
            whole = urlsplit(urljoin(f"{self.base}/", url))
            own = _place(whole) == _place(base)
        except ValueError:
            raise NotARegistryError(
                f"the registry {self.host} names an address that is none: {url[:100]!r}"
            ) from None
        if own and whole.scheme != base.scheme:
            # A registry behind a proxy may name itself by http; the token stays on the scheme we came by.
            whole = whole._replace(scheme=base.scheme)
        return whole.geturl(), own

    async def _authorized(self, scopes: tuple[Scope, ...]) -> dict[str, str]:
        """Return the Authorization header as far as it is known what the registry wants."""
        if self._challenge is None:
            return {}
        if self._challenge.scheme == "basic":
            return {"Authorization": self.credential.basic} if self.credential else {}
        key = tuple(map(str, scopes))
        token, until = self._tokens.get(key, ("", 0.0))
        if not token or time.monotonic() > until:
            token = await self._token(scopes)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _learn(self, response: Response, scopes: tuple[Scope, ...]) -> bool:
        """Take in a challenge; return whether another attempt can do better."""
        challenge = read_challenge(response.headers.get("www-authenticate"))
        if challenge is None:
            return False
        known, self._challenge = self._challenge, challenge
        if challenge.scheme == "basic":
            return known is None and self.credential is not None
        self._tokens.pop(tuple(map(str, scopes)), None)
        return True

    async def _token(self, scopes: tuple[Scope, ...]) -> str:
        assert self._challenge is not None  # noqa: S101 - only asked for after a challenge
        url = token_url(self._challenge, list(scopes), self.base)
        headers = {"Authorization": self.credential.basic} if self.credential else {}
        try:
            async with self._network.send("GET", url, headers) as response:
                answer = await bodies.answer(response)
        except NetworkError as error:
            raise PassingError(str(error)) from None
        if answer.status in retry.PASSING:
            raise PassingError(
                f"its token endpoint answered {answer.status}", answer.headers.get("retry-after")
            )
        if answer.status != 200:
            what = str(scopes[0].repository) if scopes else "the registry"
            refusals.refuse(answer, what, self.host, self.credential)
        token, lifetime = read_token(answer.body)
        self._tokens[tuple(map(str, scopes))] = (token, time.monotonic() + max(0.0, lifetime - _MARGIN))
        return token


def _network(host: str, transport: httpx2.AsyncBaseTransport | None) -> Network:
    """Return what carries requests: to this machine a small one, since importing httpx2 takes longer than a push."""

    def by_httpx() -> Network:
        from cogyard.oci.httpx_network import HttpxNetwork

        # No proxy stands between us and this machine.
        return HttpxNetwork(trust_env=not is_loopback(host), transport=transport)

    if transport is not None or not is_loopback(host) or sys.platform == "win32":  # which has no httptools
        return by_httpx()
    from cogyard.oci.plain_network import PlainNetwork

    return PlainNetwork(by_httpx)


def _place(parts: SplitResult) -> tuple[str, int | None]:
    """Return host and port; no port where it is the scheme's own."""
    port = parts.port
    return (parts.hostname or "", None if port == _PORTS.get(parts.scheme) else port)
