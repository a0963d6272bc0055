"""Moments on the wire: ISO 8601, always with Z."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from cogyard.http.errors import BadRequestError


@overload
def written(moment: datetime) -> str: ...
@overload
def written(moment: None) -> None: ...
def written(moment: datetime | None) -> str | None:
    """Write a moment with microseconds and Z."""
    if moment is None:
        return None
    if moment.tzinfo is not UTC:  # nearly none: they are made here, or read from the store
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='microseconds')[: -len(_UTC)]}Z"


_UTC = "+00:00"


def read_moment(text: str | None, name: str) -> datetime | None:
    """Read a moment of a query; without a zone it is UTC. Raises BadRequestError."""
    if text is None:
        return None
    try:
        # A plus sign in a query that was not encoded arrives as a space.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequestError(f"{name}: {text[:40]!r} is not an ISO 8601 moment.") from error
