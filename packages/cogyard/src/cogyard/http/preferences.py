"""The headers that say how a prediction is wanted: `Prefer: wait[=n]`, `Cancel-After: 1h30m`, `Cogyard-Priority`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cogyard.domain.waiting import Urgency
from cogyard.http.errors import BadRequestError, InvalidError

# What official clients may ask for; without a number they mean the longest.
MAX_WAIT_SECONDS = 60
MIN_CANCEL_AFTER, MAX_CANCEL_AFTER = 5, 24 * 3600

_DURATION = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?")


@dataclass(frozen=True, slots=True)
class Wait:
    """A client waits this many seconds for the result; `applied` goes back as Preference-Applied."""

    seconds: int
    applied: str


def wait_preference(header: str | None) -> Wait | None:
    """Read a Prefer header; None when the client wants its answer at once.

    Longer than 60 seconds is 60. Raises BadRequestError for what is no whole number of seconds.
    """
    for preference in (header or "").split(","):
        # What follows a semicolon are parameters, of which `wait` has none (RFC 7240): they are let pass.
        name, equals, value = preference.partition(";")[0].strip().partition("=")
        if name.strip().lower() != "wait":
            continue
        value = value.strip().strip('"')
        if not equals:
            return Wait(MAX_WAIT_SECONDS, "wait")
        if not value.isascii() or not value.isdigit() or len(value) > 9 or int(value) == 0:
            raise BadRequestError(f"Prefer: wait={value[:20]} is not a whole number of seconds from 1 to 60.")
        seconds = min(int(value), MAX_WAIT_SECONDS)
        return Wait(seconds, f"wait={seconds}")
    return None


def cancel_after(header: str | None) -> int | None:
    """Read a Cancel-After header (`30`, `30s`, `5m`, `1h30m45s`) in seconds. Raises InvalidError."""
    if header is None or not header.strip():
        return None
    match = _DURATION.fullmatch(header.strip().lower())
    if match is None or not any(match.groups()):
        raise InvalidError(f"Cancel-After: {header[:20]!r} is not a duration such as 30s, 5m or 1h30m.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not MIN_CANCEL_AFTER <= total <= MAX_CANCEL_AFTER:
        raise InvalidError(
            f"Cancel-After: {header[:20]!r} is {total} seconds; it must be from {MIN_CANCEL_AFTER} seconds to 24 hours."
        )
    return total


def urgency(header: str | None) -> Urgency:
    """Read a Cogyard-Priority header. Raises BadRequestError."""
    # Not the header Priority: browsers send that by themselves, and mean the answer, not what is asked for.
    if header is None:
        return Urgency.NORMAL
    try:
        return Urgency[header.strip().upper()]
    except KeyError:
        words = ", ".join(each.name.lower() for each in Urgency)
        raise BadRequestError(f"Cogyard-Priority: {header[:20]!r} is none of {words}.") from None
