"""Moments as the database keeps them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def stored(moment: datetime) -> int: ...
@overload
def stored(moment: None) -> None: ...
def stored(moment: datetime | None) -> int | None:
    """Return microseconds since the epoch; exact, unlike a float."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


@overload
def moment(value: int) -> datetime: ...
@overload
def moment(value: None) -> None: ...
def moment(value: int | None) -> datetime | None:
    """Return the moment that `stored` wrote."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)
