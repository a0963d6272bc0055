"""The two shells that perform a flow's steps with httpx2, one attempt each; every decision is the flow's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any, Protocol

import httpx2

from replicate._flow import Answer, Call, Course, Emit, Open, Pause, Piece, T
from replicate.errors import ReplicateError, Unreachable


class Setting(Protocol):
    """What the shells need to know: where and as whom a request is sent, and how long it may take."""

    def address_of(self, call: Call) -> httpx2.URL:
        """Return the whole address that `call` goes to."""
        ...

    def request(self, call: Call, *, lasting: bool = False) -> dict[str, Any]:
        """Return the keyword arguments with which either of httpx2's clients sends `call`."""
        ...


def unreachable(setting: Setting, call: Call | None, error: Exception) -> ReplicateError:
    """Return the error that says the platform gave no answer, or not all of it."""
    what = f"{call.method} {setting.address_of(call)}" if call else "The answer broke off"
    return Unreachable.of(
        error,
        title="No answer from the platform",
        detail=f"{what}: {str(error) or type(error).__name__}. "
        "Check REPLICATE_BASE_URL and that the platform is running.",
    )


def blocking_course(http: httpx2.Client, setting: Setting, course: Course[T]) -> Generator[Any, None, None]:
    """Perform the steps of a flow, and yield what it emits."""
    with ExitStack() as opened:
        pieces: Iterator[bytes] = iter(())
        step = course.next()
        while step is not None:
            came: Any = None
            error: ReplicateError | None = None
            call = step if isinstance(step, Call) else step.call if isinstance(step, Open) else None
            try:
                match step:
                    case Emit(value):
                        yield value
                    case Pause(seconds):
                        time.sleep(seconds)
                    case Piece():
                        came = next(pieces, b"")
                    case Call() as asked:
                        got = http.request(**setting.request(asked))
                        came = Answer(got.status_code, got.headers, got.content)
                    case Open(asked, lasting):
                        opened.close()
                        streamed = opened.enter_context(
                            http.stream(**setting.request(asked, lasting=lasting))
                        )
                        body = streamed.read() if streamed.status_code >= 400 else b""
                        came = Answer(streamed.status_code, streamed.headers, body)
                        pieces = (piece for piece in streamed.iter_bytes() if piece)
            except (httpx2.TransportError, httpx2.StreamError) as lost:
                error = unreachable(setting, call, lost)
            step = course.next(came, error)


async def async_course(
    http: httpx2.AsyncClient, setting: Setting, course: Course[T]
) -> AsyncGenerator[Any, None]:
    """Perform the steps of a flow without blocking, and yield what it emits."""
    async with AsyncExitStack() as opened:
        pieces: AsyncIterator[bytes] = _nothing()
        step = course.next()
        while step is not None:
            came: Any = None
            error: ReplicateError | None = None
            call = step if isinstance(step, Call) else step.call if isinstance(step, Open) else None
            try:
                match step:
                    case Emit(value):
                        yield value
                    case Pause(seconds):
                        await asyncio.sleep(seconds)
                    case Piece():
                        came = await anext(pieces, b"")
                    case Call() as asked:
                        got = await http.request(**setting.request(asked))
                        came = Answer(got.status_code, got.headers, got.content)
                    case Open(asked, lasting):
                        await opened.aclose()
                        streamed = await opened.enter_async_context(
                            http.stream(**setting.request(asked, lasting=lasting))
                        )
                        body = await streamed.aread() if streamed.status_code >= 400 else b""
                        came = Answer(streamed.status_code, streamed.headers, body)
                        pieces = (piece async for piece in streamed.aiter_bytes() if piece)
            except (httpx2.TransportError, httpx2.StreamError) as lost:
                error = unreachable(setting, call, lost)
            step = course.next(came, error)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield
