"""Texts that stand for something else in JSON: moments, dates, times, UUIDs. Their packages are loaded when needed."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: What an author writes for each `format` of JSON Schema.
NAMES = {"date-time": "datetime", "date": "date", "time": "time", "uuid": "UUID"}
EXAMPLES = {
    "date-time": "2026-11-26T15:04:05Z",
    "date": "2026-11-26",
    "time": "15:04:05",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
}
_CLOCK = r"\d{2}:\d{2}(?::\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})?"
_FORMS = {
    "date-time": r"\d{4}-\d{2}-\d{2}(?:[Tt ]" + _CLOCK + ")?",
    "date": r"\d{4}-\d{2}-\d{2}",
    "time": _CLOCK,
    "uuid": r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}


def reader(form: str) -> Callable[[Any], Any]:
    """Return the function that makes the Python value of a text; it raises ValueError or TypeError for others."""
    expected = f"a {NAMES[form]} was expected, such as {EXAMPLES[form]!r}"

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(expected)
        match = re.fullmatch(_FORMS[form], value, re.ASCII)
        if match is None:
            raise ValueError(expected)
        try:
            return _make(form, match)
        except ValueError as error:
            raise ValueError(f"{expected}: {error}") from None

    return read


def _make(form: str, match: re.Match[str]) -> Any:
    text = match.group()
    if form == "uuid":
        import uuid

        return uuid.UUID(text)
    import datetime as dt

    if form == "date":
        return dt.date.fromisoformat(text)
    fraction, zone = match.groups()
    if zone in {"Z", "z"}:
        text = f"{text[:-1]}+00:00"
    if fraction is not None:
        # Python 3.10 reads three digits or six.
        text = text.replace(fraction, f"{fraction:0<7}"[:7], 1)
    if form == "time":
        return dt.time.fromisoformat(text)
    return dt.datetime.fromisoformat(text.upper())
