"""Windows over rows in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from cogyard.domain.paging import Key, Slice, Window, cut

T = TypeVar("T")


def sliced(
    rows: Sequence[T], window: Window, key: Callable[[T], Key], *, ascending: bool = False
) -> Slice[T]:
    """Answer a window over rows as a store does."""
    up = ascending != window.backwards
    ordered = sorted(rows, key=key, reverse=not up)
    if window.key is not None:
        place = window.key
        ordered = [row for row in ordered if (key(row) > place if up else key(row) < place)]
    return cut(ordered[: window.fetch], window, key)
