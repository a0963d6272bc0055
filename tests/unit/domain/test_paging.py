"""Windows over a list join without gaps or repeats, in both directions."""

from __future__ import annotations

from cogyard.domain.paging import Key, Slice, Window, cut
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
