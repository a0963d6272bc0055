"""How texts and questions are cut into words."""

from __future__ import annotations

import pytest
from cogyard.domain.search import expression, spaced, words_of


def test_scripts_without_spaces_are_set_apart() -> None:
    """Each ideograph, kana and syllable is a word of its own; other letters stay together."""
    assert spaced("ab图像c").split() == ["ab", "图", "像", "c"]
    assert spaced("かな 한글").split() == ["か", "な", "한", "글"]
    assert spaced(None) == ""


def test_a_question_is_its_first_words() -> None:
    """In lower case, at most ten, each cut; what holds no letter and no digit asks for nothing."""
    assert words_of("  Big CATS - * ") == ("big", "cats")
    assert len(words_of("a " * 50)) == 10
    assert words_of("x" * 500) == ("x" * 100,)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("cat",), '"cat"*'),
        (('a"b', "or"), '"a b"* "or"*'),
        (("图像",), '" 图  像 "*'),
        (("a\0b",), '"a b"*'),
    ],
)
def test_every_word_is_quoted(words: tuple[str, ...], wanted: str) -> None:
    """Nothing in a question is an operator of the index."""
    assert expression(words) == wanted
