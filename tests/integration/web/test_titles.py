"""What a browser's tab, list and history call each page."""

from __future__ import annotations

import re

import pytest
from cogyard.web.pages import TABLE

from tests.integration.web.conftest import Site
from tests.integration.web.scene import furnished

pytestmark = pytest.mark.anyio

#: Parts of pages, which a page's own script asks for, and what is the same page under another name.
PARTS = frozenset({"/p/{id}/card", "/{owner}/{name}/waiting", "/{owner}/{name}/living"})
TITLE = re.compile(r"<title>(.*?)</title>")


async def test_no_two_pages_are_called_the_same(site: Site) -> None:
    """Each page of an account's things has a title of its own, so tabs and history can be told apart."""
    scene, ada = await furnished(site), await site.signed_in("ada")
    seen: dict[str, str] = {}
    for path, method, _ in TABLE:
        if method != "GET" or path in PARTS:
            continue
        answer = await ada.get(scene.address(path))
        title = TITLE.search(answer.text)
        if answer.status_code != 200 or title is None:
            continue
        assert seen.setdefault(title[1], path) == path
    assert len(seen) > 30
