"""What code written for the official client gives `Client`: objects of httpx, made into httpx2's.

httpx is never imported: whoever gives an object of it has it loaded.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from typing import Any

import httpx2


def timeouts(given: Any) -> httpx2.Timeout:
    """Return the limits that httpx's or httpx2's Timeout, a number or a tuple says."""
    return httpx2.Timeout(**given.as_dict()) if hasattr(given, "as_dict") else httpx2.Timeout(given)


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of httpx's clients as httpx2's."""
    return {name: _OPTIONS.get(name, _same)(value) for name, value in given.items()}


def transport(given: Any) -> Any:
    """Return a transport of httpx2 that asks `given`; None, the usual one, when `given` has no such side."""
    if given is None or isinstance(given, httpx2.BaseTransport):
        return given
    return _Transport(given) if hasattr(given, "handle_request") else None


def async_transport(given: Any) -> Any:
    """Do as `transport` does, for asynchronous calls."""
    if given is None or isinstance(given, httpx2.AsyncBaseTransport):
        return given
    return _AsyncTransport(given) if hasattr(given, "handle_async_request") else None


def _same(value: Any) -> Any:
    return value


def _limits(given: Any) -> httpx2.Limits:
    names = ("max_connections", "max_keepalive_connections", "keepalive_expiry")
    return httpx2.Limits(**{name: getattr(given, name) for name in names})


def _proxy(given: Any) -> Any:
    if given is None or isinstance(given, str | httpx2.URL | httpx2.Proxy):
        return given
    if not hasattr(given, "raw_auth"):  # a URL of httpx
        return str(given)
    return httpx2.Proxy(
        str(given.url), auth=given.auth, headers=dict(given.headers), ssl_context=given.ssl_context
    )


def _mounts(given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {pattern: _either(mounted) for pattern, mounted in (given or {}).items()}


def _either(given: Any) -> Any:
    if given is None or isinstance(given, httpx2.BaseTransport | httpx2.AsyncBaseTransport):
        return given
    return _Transport(given) if hasattr(given, "handle_request") else _AsyncTransport(given)


def _auth(given: Any) -> Any:
    foreign = hasattr(given, "auth_flow") and not isinstance(given, httpx2.Auth)
    return _Auth(given) if foreign else given


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "limits": _limits,
    "proxy": _proxy,
    "mounts": _mounts,
    "auth": _auth,
}


class _Auth(httpx2.Auth):
    """httpx's way of proving who asks: it changes a request's headers, which both have."""

    def __init__(self, given: Any) -> None:
        self._given = given
        self.requires_request_body = given.requires_request_body
        self.requires_response_body = given.requires_response_body

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        yield from self._given.auth_flow(request)


def _asked(request: httpx2.Request, content: bytes) -> Any:
    import httpx  # type: ignore[import-not-found,unused-ignore]  # loaded by whoever made the transport

    return httpx.Request(
        request.method,
        str(request.url),
        headers=request.headers.raw,
        content=content,
        extensions=dict(request.extensions),
    )


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Raise httpx's errors as httpx2's of the same name, which are what the client tries again after."""
    try:
        yield
    except Exception as error:
        known = getattr(httpx2, type(error).__name__, None)
        if isinstance(known, type) and issubclass(known, httpx2.TransportError):
            raise known(str(error)) from error
        raise


class _Transport(httpx2.BaseTransport):
    def __init__(self, given: Any) -> None:
        self._given = given

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        with _translated():
            got = self._given.handle_request(_asked(request, request.read()))
        return httpx2.Response(got.status_code, headers=got.headers.raw, stream=_Body(got.stream))

    def close(self) -> None:
        self._given.close()


class _AsyncTransport(httpx2.AsyncBaseTransport):
    def __init__(self, given: Any) -> None:
        self._given = given

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        with _translated():
            got = await self._given.handle_async_request(_asked(request, await request.aread()))
        return httpx2.Response(got.status_code, headers=got.headers.raw, stream=_AsyncBody(got.stream))

    async def aclose(self) -> None:
        await self._given.aclose()


class _Body(httpx2.SyncByteStream):
    def __init__(self, given: Any) -> None:
        self._given = given

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._given

    def close(self) -> None:
        self._given.close()


class _AsyncBody(httpx2.AsyncByteStream):
    def __init__(self, given: Any) -> None:
        self._given = given

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for piece in self._given:
                yield piece

    async def aclose(self) -> None:
        await self._given.aclose()
