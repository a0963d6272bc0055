"""What an author says about a predictor by decorating it: `@streaming`, `@concurrent`, `@batched`, `@idempotent`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

STREAMING = "__cog_streaming__"
CONCURRENCY = "__cog_concurrency__"
BATCH = "__cog_batch__"
IDEMPOTENT = "__cog_idempotent__"


def streaming(function: Function) -> Function:
    """Say that clients may follow the output as it is made; use it on a predictor that returns an iterator."""
    setattr(function, STREAMING, True)
    return function


def idempotent(function: Function) -> Function:
    """Say that running a prediction again does no harm, so that a platform may do so when it was interrupted.

    Without it, what the model had begun when the platform was killed fails: a second run might send, store or charge
    something twice.
    """
    setattr(function, IDEMPOTENT, True)
    return function


def concurrent(*, max: int) -> Callable[[Function], Function]:
    """Let `max` predictions of an `async def` predictor run at a time. Raises ValueError below 1."""
    if max < 1:
        raise ValueError(f"@concurrent(max={max!r}): max must be a whole number from 1 up")

    def mark(function: Function) -> Function:
        setattr(function, CONCURRENCY, max)
        return function

    return mark


def batched(*, max_size: int, max_wait: float = 0.01) -> Callable[[Function], Function]:
    """Run up to `max_size` predictions in one call, which takes and returns lists.

    The first of them waits at most `max_wait` seconds for others. Raises ValueError for a size below 1 or a wait that
    is no number of seconds from 0 to 60.
    """
    if max_size < 1:
        raise ValueError(f"@batched(max_size={max_size!r}): max_size must be a whole number from 1 up")
    if not 0 <= max_wait <= LONGEST_WAIT:
        raise ValueError(
            f"@batched(max_wait={max_wait!r}): max_wait must be from 0 to {LONGEST_WAIT} seconds"
        )

    def mark(function: Function) -> Function:
        setattr(function, BATCH, (int(max_size), float(max_wait)))
        return function

    return mark


LONGEST_WAIT = 60
