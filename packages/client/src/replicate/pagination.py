"""Pages of results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Cursor: TypeAlias = str | EllipsisType | None
"""A page's address, as `Page.next` has it; None, or `...` as the official client writes it, is the first page."""


@dataclass
class Page(Generic[T]):
    """Some results, and the addresses of the pages beside them."""

    results: list[T] = field(default_factory=list)
    previous: str | None = None
    next: str | None = None

    def __iter__(self) -> Iterator[T]:
        """Go through this page's results."""
        return iter(self.results)

    def __len__(self) -> int:
        """Return how many results this page has."""
        return len(self.results)

    def __getitem__(self, index: int) -> T:
        """Return one result of this page."""
        return self.results[index]


def paginate(list_method: Callable[..., Page[T]]) -> Iterator[Page[T]]:
    """Yield every page of a listing, such as `client.predictions.list`."""
    page = list_method(...)
    yield page
    while page.next:
        page = list_method(page.next)
        yield page


async def async_paginate(list_method: Callable[..., Awaitable[Page[T]]]) -> AsyncIterator[Page[T]]:
    """Yield every page of a listing, such as `client.predictions.async_list`."""
    page = await list_method(...)
    yield page
    while page.next:
        page = await list_method(page.next)
        yield page
