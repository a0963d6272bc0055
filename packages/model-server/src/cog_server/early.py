"""Signals that come while the server is still importing, before its loop listens to them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


class EndedEarlyError(KeyboardInterrupt):
    """A signal came before the loop listens to signals. Event loops let this kind of exception through."""


class Early:
    """Whether a signal came early.

    What is raised for it can be lost, in a weak reference's callback for one, of which imports have many.
    """

    came = False


@contextlib.contextmanager
def ended_early() -> Iterator[Early]:
    """Turn a signal that comes while we are still importing into an orderly end; the loop's handlers follow."""
    early = Early()

    def end(_number: int, _frame: object) -> None:
        early.came = True
        raise EndedEarlyError

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield early
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
