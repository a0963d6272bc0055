"""Flows: what is asked and in which order, written once and driven by a blocking or an asynchronous shell.

Theory of operation: a flow is a generator. It yields steps (`Call` a URL, `Pause` for seconds), is sent what came of
each, and returns its result. It holds every decision; the shells in `_transport` hold none. `blocking` and
`asynchronous` turn the same flow method into `create()` and `async_create()`, so that the two cannot differ.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class Call:
    """One HTTP request; `url` is absolute or a path below the API's root."""

    method: str
    url: str
    json: Any = None
    text: str | None = None
    files: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    read_timeout: float | None = None
    """Seconds to wait for the answer's first byte; the client's own limit when None."""
    raw: bool = False
    """Whether a bad status is an answer like any other, rather than an error."""


@dataclass(frozen=True)
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON value."""
        return json.loads(self.body)


Flow = Generator[Call | Pause, Any, T]


class Driver(Protocol):
    """What drives flows: the client."""

    def _drive(self, flow: Flow[T]) -> T: ...

    async def _drive_async(self, flow: Flow[T]) -> T: ...


class HasClient(Protocol):
    """An object that knows its client."""

    @property
    def _client(self) -> Driver: ...


S = TypeVar("S", bound=HasClient)


def blocking(flow: Callable[Concatenate[S, P], Flow[T]]) -> Callable[Concatenate[S, P], T]:
    """Return the method that runs `flow` to its end, waiting."""

    @functools.wraps(flow)
    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._client._drive(flow(self, *args, **kwargs))

    return method


def asynchronous(flow: Callable[Concatenate[S, P], Flow[T]]) -> Callable[Concatenate[S, P], Awaitable[T]]:
    """Return the coroutine method that runs `flow` to its end."""

    @functools.wraps(flow)
    async def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._client._drive_async(flow(self, *args, **kwargs))

    return method
