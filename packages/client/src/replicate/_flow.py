"""Flows: what is asked and in which order, written once and driven by a blocking or an asynchronous shell.

Theory of operation: a flow is a generator. It yields steps (`Call` a URL, `Pause`, `Open` an answer and take a `Piece`
of it, `Emit` a value to whoever iterates), is sent what came of each or has its error raised in it, and returns its
result. It holds every decision, when to try again included (`retried`); the shells in `_shells` perform one step at a
time and hold none. `blocking` and `asynchronous` turn the same flow method into `create()` and `async_create()`,
`iterating` and `async_iterating` into `stream()` and `async_stream()`, so that the two cannot differ.
"""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeAlias, TypeVar

from replicate.errors import ReplicateError

if TYPE_CHECKING:
    from replicate._upload import Upload

T = TypeVar("T")
P = ParamSpec("P")
_SHOWN = 200


@dataclass(frozen=True)
class Call:
    """One HTTP request; `url` is absolute or a path below the API's root."""

    method: str
    url: str
    json: Any = None
    text: str | None = None
    upload: Upload | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    read_timeout: float | None = None
    """Seconds to wait for the answer's first byte; the client's own limit when None."""
    repeatable: bool = False
    """Whether it does nothing more when it comes twice, whatever its method says."""


@dataclass(frozen=True)
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Open:
    """Send a request whose answer is taken piece by piece; what was open before is closed."""

    call: Call
    lasting: bool = False
    """Whether long silences are usual in it."""


@dataclass(frozen=True)
class Piece:
    """Take the next bytes of what is open; b"" is its end."""


@dataclass(frozen=True)
class Emit:
    """Give a value to whoever iterates."""

    value: Any


@dataclass(frozen=True)
class Answer:
    """What came back; of an `Open` that succeeded the body is still to come."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> Any:
        """Return the body's JSON value. Raises ReplicateError when it is none, which a proxy's page is not."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ReplicateError(
                title="The answer is no JSON", status=self.status, detail=self.shown()
            ) from error

    def shown(self) -> str:
        """Return what a person is told of a body that is no JSON."""
        text = " ".join(self.body.decode("utf-8", "replace").split())
        kind = self.headers.get("content-type", "no type")
        return (
            f"It came from something between here and the platform, or REPLICATE_BASE_URL is not a platform's address. \
It is {kind} and begins: {text[:_SHOWN]}"
        )


Step: TypeAlias = Call | Pause | Open | Piece | Emit
Flow = Generator[Step, Any, T]


class Course(Generic[T]):
    """A flow under way: give `next` what came of its step, or the error, and perform what it returns."""

    result: T

    def __init__(self, flow: Flow[T]) -> None:
        """Begin before the first step."""
        self._flow = flow

    def next(self, came: Any = None, error: ReplicateError | None = None) -> Step | None:
        """Return the next step; None when the flow has returned `result`."""
        try:
            return self._flow.send(came) if error is None else self._flow.throw(error)
        except StopIteration as end:
            self.result = end.value
            return None


class Driver(Protocol):
    """What drives flows: the client."""

    def _drive(self, flow: Flow[T]) -> T: ...

    async def _drive_async(self, flow: Flow[T]) -> T: ...

    def _iterate(self, flow: Flow[None]) -> Generator[Any, None, None]: ...

    def _iterate_async(self, flow: Flow[None]) -> Events[Any]: ...


class HasClient(Protocol):
    """An object that knows its client."""

    @property
    def _client(self) -> Driver: ...


S = TypeVar("S", bound=HasClient)


class Events(Generic[T]):
    """An asynchronous iterator that may be awaited first, as code for the official client does with `async_stream`."""

    def __init__(self, values: AsyncGenerator[T, None]) -> None:
        """Give these values."""
        self._values = values

    def __await__(self) -> Generator[Any, None, Events[T]]:
        """Return itself at once."""

        async def itself() -> Events[T]:
            return self

        return itself().__await__()

    def __aiter__(self) -> Events[T]:
        """Go through the values, once."""
        return self

    def __anext__(self) -> Awaitable[T]:
        """Return the next value."""
        return self._values.__anext__()

    async def aclose(self) -> None:
        """Stop, and close what is open."""
        await self._values.aclose()


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


def iterating(
    flow: Callable[Concatenate[S, P], Flow[None]],
) -> Callable[Concatenate[S, P], Generator[Any, None, None]]:
    """Return the method that yields what `flow` emits."""

    @functools.wraps(flow)
    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Generator[Any, None, None]:
        return self._client._iterate(flow(self, *args, **kwargs))

    return method


def async_iterating(
    flow: Callable[Concatenate[S, P], Flow[None]],
) -> Callable[Concatenate[S, P], Events[Any]]:
    """Return the method whose asynchronous iterator yields what `flow` emits."""

    @functools.wraps(flow)
    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Events[Any]:
        return self._client._iterate_async(flow(self, *args, **kwargs))

    return method
