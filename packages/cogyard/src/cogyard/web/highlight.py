"""Colour for short code examples. Pure: text in, escaped HTML out, nothing executed or guessed beyond tokens."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_TOKEN = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#[^\n]*|//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)
      | (?P<number>(?<![\w.])-?\d+(?:\.\d+)?\b)
      | (?P<word>[A-Za-z_$][\w$]*)""",
    re.VERBOSE,
)

_KEYWORDS = {
    "python": frozenset({"import", "from", "for", "in", "with", "as", "True", "False", "None"}),
    "javascript": frozenset(
        {"import", "from", "const", "new", "await", "for", "of", "true", "false", "null"}
    ),
    "shell": frozenset({"curl", "export", "pip", "npm", "install"}),
    "json": frozenset({"true", "false", "null"}),
}
#: Addresses, ports and versions are the numbers of a command; parts of them in colour are noise.
_NOT_TOKENS = {("comment", "json"), ("number", "shell")}


def highlight(code: str, language: str) -> Markup:
    """Return the code as HTML with `<span class="t-…">` around its tokens; `text` has none."""
    if language == "text":
        return escape(code)
    keywords = _KEYWORDS.get(language, frozenset())
    parts: list[Markup] = []
    end = 0
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup or ""
        text = match.group()
        if (kind == "word" and text not in keywords) or (kind, language) in _NOT_TOKENS:
            continue
        parts += [
            escape(code[end : match.start()]),
            Markup('<span class="t-{}">{}</span>').format(kind, text),
        ]
        end = match.end()
    return Markup("").join([*parts, escape(code[end:])])
