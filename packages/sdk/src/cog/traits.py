"""What an author says about a predictor by decorating it: `@streaming`, `@concurrent(max=4)`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

STREAMING = "__cog_streaming__"
CONCURRENCY = "__cog_concurrency__"


def streaming(function: Function) -> Function:
    """Say that clients may follow the output as it is made; use it on a predictor that returns an iterator."""
    setattr(function, STREAMING, True)
    return function


def concurrent(*, max: int) -> Callable[[Function], Function]:
    """Let `max` predictions of an `async def` predictor run at a time. Raises ValueError below 1."""
    if max < 1:
        raise ValueError(f"@concurrent(max={max!r}): max must be a whole number from 1 up")

    def mark(function: Function) -> Function:
        setattr(function, CONCURRENCY, max)
        return function

    return mark
