"""The port behind which requests of the distribution protocol travel: one request, one answer, no opinions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

Body = bytes | AsyncGenerator[bytes, None]


class NetworkError(Exception):
    """A connection broke, or what came over it was no answer. Another attempt may do better."""


class NoConnectionError(NetworkError):
    """There was no connection at all."""


class UntrustedError(NoConnectionError):
    """The other side showed a certificate that nobody trusted here has signed, or of another name."""


class Response(Protocol):
    """An answer whose body is still to come. Header names are in lower case."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; of one that came several times, the values with commas between them."""
        ...

    @property
    def url(self) -> str:
        """Where the answer came from, redirections followed."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it is on the wire. Raises NetworkError when it breaks off."""
        ...


class Network(Protocol):
    """Carries requests; several may be under way at once."""

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = b"", *, follow: bool = False
    ) -> AbstractAsyncContextManager[Response]:
        """Send a request and give its answer for the length of a block.

        `follow` goes after redirections, without the Authorization header where they leave the host. A body that is
        not bytes needs a Content-Length header. Raises NetworkError, NoConnectionError.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
