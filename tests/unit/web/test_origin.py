"""What another site's page sends in a person's name is refused."""

from __future__ import annotations

import pytest
from cogyard.features.page import local_path
from cogyard.web.origin import is_same_origin

BASES = frozenset({"http://here:8080"})


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://here:8080"}, False),
        ({"origin": "http://here:8080"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({}, True),
    ],
)
def test_the_browser_says_who_wrote_the_page(headers: dict[str, str], *, ours: bool) -> None:
    """The browser's own headers decide, the newer one first."""
    assert is_same_origin(headers, bases=BASES) is ours


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/ada/upscale?prediction=x", "/ada/upscale?prediction=x"),
        (None, "/"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("javascript:alert(1)", "/"),
        ("/" + "x" * 3000, "/"),
    ],
)
def test_after_signing_in_one_stays_here(text: str | None, path: str) -> None:
    """A link to the sign-in page cannot lead elsewhere afterwards."""
    assert local_path(text) == path
