"""Texts of a certain form: moments, dates, times, UUIDs, as JSON Schema's `format` names them.

The worker makes Python values of them (`cog.schema.texts`); what passes here must be one there.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time

EXAMPLES = {
    "date-time": ("a date and time", "2026-11-26T15:04:05Z"),
    "date": ("a date", "2026-11-26"),
    "time": ("a time", "15:04:05"),
    "uuid": ("a UUID", "123e4567-e89b-12d3-a456-426614174000"),
}
_CLOCK = r"\d{2}:\d{2}(?::\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})?"
_FORMS = {
    "date-time": re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ]" + _CLOCK + ")?", re.ASCII),
    "date": re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII),
    "time": re.compile(_CLOCK, re.ASCII),
    "uuid": re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
}


def is_of_form(form: str, text: str) -> bool:
    """Say whether a text is of one of the forms of EXAMPLES; there is no 30th of February."""
    match = _FORMS[form].fullmatch(text)
    if match is None:
        return False
    if form == "uuid":
        return True
    try:
        if form == "date":
            date.fromisoformat(text)
            return True
        fraction, zone = match.groups()
        if zone in {"Z", "z"}:
            text = f"{text[:-1]}+00:00"
        if fraction is not None:
            # Python 3.10 reads three digits or six.
            text = text.replace(fraction, f"{fraction:0<7}"[:7], 1)
        if form == "time":
            time.fromisoformat(text)
        else:
            datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True
