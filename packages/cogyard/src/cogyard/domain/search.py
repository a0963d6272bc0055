"""Words of texts and of questions, so that one finds the other. Pure.

The index cuts texts at spaces and punctuation. Scripts that are written without spaces would be one word a sentence,
of which nobody searches the whole: their characters are set apart here, in the text and in the question alike, and a
word of the question is looked for as a phrase of such characters.
"""

from __future__ import annotations

import re

#: Words of one question; what comes after them is left out.
WORDS_LIMIT = 10
WORD_LIMIT = 100
# Chinese, Japanese and Korean: ideographs with their extensions, kana, hangul.
_UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_WORD = re.compile(r"\w")


def spaced(text: str | None) -> str:
    """Return a text as the index takes it."""
    return _UNSPACED.sub(r" \g<0> ", text or "")


def words_of(question: str) -> tuple[str, ...]:
    """Return the words of a question, in lower case; what has no letter and no digit is none."""
    found = [word[:WORD_LIMIT] for word in question.lower().split() if _WORD.search(word)]
    return tuple(found[:WORDS_LIMIT])


def expression(words: tuple[str, ...]) -> str:
    """Return the words as a question to the index: every one must be there, or begin a word that is."""
    return " ".join('"' + spaced(word).replace('"', " ").replace("\0", " ") + '"*' for word in words)
