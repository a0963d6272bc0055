"""A README can say anything and do nothing."""

from __future__ import annotations

import pytest
from cogyard.web.markdown import MAX_LENGTH, render


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<div hx-get='/x' hx-trigger='load'>",
        "a <b onclick=x>b</b>",
        "<!-- --><svg/onload=alert(1)>",
        "```html\n<script>\n```",
    ],
)
def test_html_is_text(text: str) -> None:
    """No tag that an author writes becomes an element."""
    html = render(text)
    assert "&lt;" in html
    for tag in ("<script", "<img", "<div", "<b ", "<svg"):
        assert tag not in html


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "vbscript:x", "data:text/html,x", "file:///x"]
)
def test_links_that_act_are_text(address: str) -> None:
    """Only addresses that lead somewhere are links."""
    assert "<a " not in render(f"[click]({address})")


def test_links_leave_nothing_behind() -> None:
    """A link carries neither our page's address nor our good name."""
    assert 'rel="nofollow noopener noreferrer"' in render("[x](https://elsewhere.example)")


def test_pictures_become_links() -> None:
    """Opening a README asks no stranger's server for anything."""
    html = render("![a *graph*](https://elsewhere.example/x.png)")
    assert "<img" not in html
    assert 'href="https://elsewhere.example/x.png"' in html


def test_ordinary_markdown_works() -> None:
    """Headings, lists, tables and code come out as such."""
    html = render("# Title\n\n- one\n\n| a |\n|---|\n| 1 |\n\n`code`\n")
    for tag in ("<h1>Title</h1>", "<li>one</li>", "<td>1</td>", "<code>code</code>"):
        assert tag in html


def test_a_huge_text_is_shown_plain() -> None:
    """A text beyond the limit costs no parsing."""
    html = render("<b>" + "x" * MAX_LENGTH)
    assert html.startswith("<pre>&lt;b&gt;")
