"""What a terminal would show of a log: colours and cursor moves taken out, lines that overwrite themselves once. Pure.

A log is what a stranger's model printed. On a page its escape sequences are noise, and a progress bar is a thousand
lines; the API and the JSON on the page give it as it was printed.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # titles and links, with their ends
    r"|\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]?"  # colours and moves
    r"|\x1b[ -/]{0,8}[0-~]?"  # everything else
)
_UNPRINTED = re.compile(r"[\x00-\x07\x0e-\x1f\x7f\x80-\x9f]")
#: Characters that make the text around them read otherwise than it is written.
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """Return a log as text for a page."""
    text = _ESCAPE.sub("", text).replace("\r\n", "\n")
    if "\r" in text or "\b" in text:
        text = "\n".join(map(_overwritten, text.split("\n")))
    return _DIRECTIONS.sub("", _UNPRINTED.sub("", text))


def _overwritten(line: str) -> str:
    """Return what is left of a line that went back to its beginning, as far as it was written over."""
    left: list[str] = []
    for part in line.split("\r"):
        written = _erased(part) if "\b" in part else part
        # In place: a line of a megabyte that is begun anew for each of its characters costs no more than it is long.
        left[: len(written)] = written
    return "".join(left)


def _erased(part: str) -> list[str]:
    """Return what backspaces left."""
    kept: list[str] = []
    for char in part:
        if char != "\b":
            kept.append(char)
        elif kept:
            kept.pop()
    return kept
