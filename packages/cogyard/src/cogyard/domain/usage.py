"""What predictions came to, by the hour: counted as they end, shown as charts. Pure; times are arguments.

Run times and waits are counted in buckets, two an octave from a millisecond on, so that a percentile is true to a fifth
of its value and an hour of any number of predictions is a few dozen rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

HOUR = 3600
#: Of one bucket's border over the one before.
_STEP = math.sqrt(2)
_FIRST = 0.001
#: Three weeks; what took longer is counted here.
LAST_BUCKET = 61
#: The bucket of what never began, and that of a tally which is not about such a time.
NEVER, UNSAID = -1, -2
HALF, MOST = 0.5, 0.95


class Span(StrEnum):
    """How far back a chart looks."""

    DAY = "24h"
    WEEK = "7d"

    @property
    def hours(self) -> int:
        """The hours it shows."""
        return 24 if self is Span.DAY else 168

    @property
    def step(self) -> int:
        """The hours of one of its columns."""
        return 1 if self is Span.DAY else 6


@dataclass(frozen=True, slots=True)
class Tally:
    """How many predictions ended in an hour (since 1970) in one way, having run so long; or having waited so long.

    Each is counted in two tallies, one with an empty status: by both times at once there would be many times as many.
    """

    hour: int
    status: str
    ran: int
    waited: int
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """The median and the 95th percentile of some times, in seconds."""

    half: float
    most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What happened in one column of a chart."""

    start: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    ran: Times | None = None
    waited: Times | None = None
    instances: int = 0
    """The most that were ready or got ready at once."""


def hour_of(moment: datetime) -> int:
    """Return the hour since 1970 that a moment is in."""
    return int(moment.timestamp()) // HOUR


def bucket(took: timedelta | None) -> int:
    """Return the bucket of a time; `NEVER` for None."""
    if took is None:
        return NEVER
    seconds = max(took.total_seconds(), 0.0)
    if seconds <= _FIRST:
        return 0
    return min(math.ceil(math.log(seconds / _FIRST, _STEP)), LAST_BUCKET)


def seconds_in(number: int) -> float:
    """Return the seconds that stand for a bucket: the middle of its borders, as ratios go."""
    return float(_FIRST * _STEP ** (number - 0.5)) if number else _FIRST


def times(counts: Mapping[int, int]) -> Times | None:
    """Return the percentiles of what is counted by bucket; None of nothing."""
    ran = {number: count for number, count in counts.items() if number >= 0 and count > 0}
    if not ran:
        return None
    return Times(half=_quantile(ran, HALF), most=_quantile(ran, MOST))


def first_hour(span: Span, now: datetime) -> int:
    """Return the first hour that a chart shows: its columns begin at whole steps, and the present one is the last."""
    return hour_of(now) // span.step * span.step - span.hours + span.step


def columns(
    tallies: Iterable[Tally], instances: Mapping[int, int], span: Span, now: datetime
) -> tuple[Column, ...]:
    """Return a chart's columns, the oldest first; `instances` are the most at once, by hour."""
    first = first_hour(span, now)
    size = span.hours // span.step
    counts = [Counter[str]() for _ in range(size)]
    ran = [Counter[int]() for _ in range(size)]
    waited = [Counter[int]() for _ in range(size)]
    for tally in tallies:
        place = (tally.hour - first) // span.step
        if 0 <= place < size:
            if tally.status:
                counts[place][tally.status] += tally.count
                ran[place][tally.ran] += tally.count
            if tally.waited != UNSAID:
                waited[place][tally.waited] += tally.count
    return tuple(
        Column(
            start=datetime.fromtimestamp((first + place * span.step) * HOUR, UTC),
            counts=dict(counts[place]),
            ran=times(ran[place]),
            waited=times(waited[place]),
            instances=max(
                (instances.get(first + place * span.step + each, 0) for each in range(span.step)), default=0
            ),
        )
        for place in range(size)
    )


def _quantile(counts: Mapping[int, int], part: float) -> float:
    """Return the seconds below which that part of what is counted lies."""
    wanted = math.ceil(sum(counts.values()) * part)
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= wanted:
            return seconds_in(number)
    return seconds_in(max(counts))
