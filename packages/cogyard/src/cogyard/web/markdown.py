"""Markdown that strangers wrote → HTML that cannot act. Pure."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

#: Longest text rendered; a README beyond it is shown plain.
MAX_LENGTH = 200_000

LINK = "nofollow noopener noreferrer"

_SAFE = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def render(text: str) -> Markup:
    """Return the HTML of a README. HTML in it is text; links carry nothing of ours to where they lead."""
    if len(text) > MAX_LENGTH:
        return Markup("<pre>{}</pre>").format(text)
    tokens = _SAFE.parse(text)
    for token in tokens:
        token.children = [
            part for child in token.children or () for part in _made_safe(child)
        ] or token.children
    return Markup(_SAFE.renderer.render(tokens, _SAFE.options, {}))  # noqa: S704 - html is off, tested


def _made_safe(token: Token) -> list[Token]:
    """Return a link without our name on it, and in place of a picture from elsewhere a link to it."""
    if token.type == "link_open":
        token.attrSet("rel", LINK)
    if token.type != "image":
        return [token]
    opening = Token("link_open", "a", 1, attrs={"href": token.attrGet("src") or "", "rel": LINK})
    words = Token("text", "", 0, content=token.content or "picture")
    return [opening, words, Token("link_close", "a", -1)]
