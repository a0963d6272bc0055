"""Windows over a list join without gaps or repeats, in both directions."""

from __future__ import annotations

from cogyard.domain.paging import Key, Slice, Window, afford, cut
from hypothesis import given
from hypothesis import strategies as st


def _ask(rows: list[int], window: Window) -> Slice[int]:
    """Answer a window over a descending list as a store does."""
    if window.key is None:
        found = rows
    elif window.backwards:
        found = [row for row in reversed(rows) if row > int(window.key[0])]
    else:
        found = [row for row in rows if row < int(window.key[0])]
    return cut(found[: window.fetch], window, lambda row: (row,))


@given(st.integers(0, 40), st.integers(1, 7))
def test_walking_forwards_and_back_sees_everything_once(size: int, limit: int) -> None:
    """All pages forward are the list; all pages back from the end are the list again."""
    rows = list(range(size, 0, -1))
    pages: list[Slice[int]] = []
    key: Key | None = None
    while True:
        pages.append(_ask(rows, Window(limit=limit, key=key)))
        key = pages[-1].next
        if key is None:
            break
    assert [item for page in pages for item in page.items] == rows
    assert pages[0].previous is None
    back = [pages[-1]]
    while (before := back[0].previous) is not None:
        back.insert(0, _ask(rows, Window(limit=limit, key=before, backwards=True)))
    assert [item for page in back for item in page.items] == rows


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 7), st.integers(1, 20))
def test_pages_with_a_budget_see_everything_once(sizes: list[int], limit: int, budget: int) -> None:
    """In both directions; no page has more than its budget, unless one item has."""
    rows = list(range(len(sizes), 0, -1))

    def ask(window: Window) -> Slice[int]:
        place = len(sizes) + 1 if window.key is None else int(window.key[0])
        found = [row for row in rows if row < place]
        if window.backwards:
            found = [row for row in reversed(rows) if row > place]
        kept, more = afford(found, window, lambda row: sizes[row - 1])
        return cut(kept, window, lambda row: (row,), more=more)

    pages = [ask(Window(limit=limit, budget=budget))]
    while (after := pages[-1].next) is not None:
        pages.append(ask(Window(limit=limit, key=after, budget=budget)))
    assert [item for page in pages for item in page.items] == rows
    back = [pages[-1]]
    while (before := back[0].previous) is not None:
        back.insert(0, ask(Window(limit=limit, key=before, backwards=True, budget=budget)))
    assert [item for page in back for item in page.items] == rows
    for page in (*pages, *back):
        assert len(page.items) <= limit
        assert len(page.items) < 2 or sum(sizes[item - 1] for item in page.items) <= budget


def test_no_row_is_read_after_the_first_that_does_not_fit() -> None:
    """Rows are read as they are asked for, so what is left costs nothing."""
    rows = iter([3, 3, 3, 3])
    assert afford(rows, Window(limit=9, budget=5), int) == ([3], True)
    assert list(rows) == [3, 3]
