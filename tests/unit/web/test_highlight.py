"""Colour changes how code looks, never what it says."""

from __future__ import annotations

import html
import re

from cogyard.web.highlight import highlight
from hypothesis import given
from hypothesis import strategies as st


@given(code=st.text(), language=st.sampled_from(["python", "javascript", "shell", "json", "text"]))
def test_the_text_is_unchanged_and_escaped(code: str, language: str) -> None:
    """Without our spans, what is left is the code, escaped."""
    marked = str(highlight(code, language))
    plain = re.sub(r'<span class="t-[a-z]+">|</span>', "", marked)
    assert html.unescape(plain) == code or "&" in code
    assert "<" not in plain


def test_strings_and_keywords_are_marked() -> None:
    """A reader sees what is a word of the language and what is a value."""
    marked = highlight('import x\nx("a", 1)', "python")
    assert '<span class="t-word">import</span>' in marked
    assert '<span class="t-string">&#34;a&#34;</span>' in marked
    assert '<span class="t-number">1</span>' in marked


def test_text_is_left_whole() -> None:
    """A secret is one word, whatever in it looks like a number or a comment."""
    assert highlight("whsec_a+12/b//c #<", "text") == "whsec_a+12/b//c #&lt;"


def test_an_address_in_a_command_has_one_colour() -> None:
    """Its parts are no numbers, whatever they look like; a number in code is one."""
    assert highlight("cog login 127.0.0.1:8070", "shell") == "cog login 127.0.0.1:8070"
    assert "t-number" in highlight("size = 256", "python")
