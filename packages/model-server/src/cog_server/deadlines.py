"""`Cancel-After`: how long a caller wants a prediction to live. Pure."""

from __future__ import annotations

import re

from cog_server.errors import RequestError

LONGEST = 7 * 24 * 3600.0
"""Seconds; nobody waits longer, and the loop's clock need not count further."""
_PARTS = re.compile(rb"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,7}(?:\.\d{1,6})?)s?)?", re.ASCII)


def cancel_after(value: bytes) -> float:
    """Return the seconds that a header's value means: `90`, `90s`, `5m`, `1h30m`. Raises RequestError."""
    text = value.strip()
    found = _PARTS.fullmatch(text)
    if found is not None and text:
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        total = 3600 * hours + 60 * minutes + seconds
        if 0 < total <= LONGEST:
            return total
    raise RequestError("Cancel-After must be a time above 0 and up to 168h, such as 90, 90s, 5m or 1h30m")
