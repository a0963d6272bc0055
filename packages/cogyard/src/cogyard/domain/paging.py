"""Lists by keyset: a page is asked for from a key, in a direction, and knows what comes before and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

Key = tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What part of a list is wanted: up to `limit` items after `key` (from the start without one).

    `backwards` asks for the items just before `key`, still in the list's own order. `budget` ends it early: the items
    have at most so many bytes together, unless it is a single one.
    """

    limit: int
    key: Key | None = None
    backwards: bool = False
    budget: int | None = None

    @property
    def fetch(self) -> int:
        """How many rows to fetch: one more than wanted, to see whether the list goes on."""
        return self.limit + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice(Generic[T]):
    """The items of a window, and the keys from which its neighbours are asked for."""

    items: tuple[T, ...]
    next: Key | None = None
    previous: Key | None = None


def afford(rows: Iterable[T], window: Window, size: Callable[[T], int]) -> tuple[list[T], bool]:
    """Take rows for a window while they fit, and say whether any were left.

    No row is asked for after the first that does not fit: where rows are read as they are asked for, a page of large
    ones costs no more than it shows, and one row. `size` is a row's bytes.
    """
    kept: list[T] = []
    total = 0
    for row in rows:
        total += size(row)
        spent = window.budget is not None and total > window.budget
        if len(kept) == window.limit or (spent and kept):
            return kept, True
        kept.append(row)
    return kept, False


def cut(rows: Sequence[T], window: Window, key: Callable[[T], Key], *, more: bool = False) -> Slice[T]:
    """Make a slice of rows fetched for a window.

    `rows` are in the order of the query: for a backwards window the nearest to the key first. `more` says that rows
    were left, which otherwise shows by one too many.
    """
    more = more or len(rows) > window.limit
    kept = list(rows[: window.limit])
    if window.backwards:
        kept.reverse()
    if not kept:
        return Slice(items=())
    before = more if window.backwards else window.key is not None
    after = True if window.backwards else more
    return Slice(
        items=tuple(kept), next=key(kept[-1]) if after else None, previous=key(kept[0]) if before else None
    )
