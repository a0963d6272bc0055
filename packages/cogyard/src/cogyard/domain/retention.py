"""How long predictions hold their data: the most specific setting wins. Pure; time is an argument.

A setting is a deployment's, a model's or an account's; without any, the platform's holds. A model's or deployment's
setting was made by its owner: for other people's predictions it can shorten what would hold otherwise, never lengthen
it, since the data is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

SHORTEST = timedelta(hours=1)
LONGEST = timedelta(days=3650)
FOREVER_WORD = "forever"

_DURATION = re.compile(r"([0-9]{1,9})([hdw]?)")
_UNITS = {"": 1, "h": 3600, "d": 86400, "w": 7 * 86400}


class Scope(StrEnum):
    """Of what a setting is."""

    ACCOUNT = "account"
    MODEL = "model"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many seconds data is kept after it came to be; None is for ever."""

    seconds: int | None = None

    def ends(self, completed_at: datetime, now: datetime) -> bool:
        """Whether data of what ended then is to be removed."""
        return self.seconds is not None and now - completed_at > timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        """Say it in the largest unit that fits."""
        if self.seconds is None:
            return FOREVER_WORD
        for unit in ("w", "d", "h"):
            if self.seconds % _UNITS[unit] == 0:
                return f"{self.seconds // _UNITS[unit]}{unit}"
        return str(self.seconds)


FOREVER = Keep()


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting, and the account whose it is."""

    keep: Keep
    owner_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whose a prediction is, and of what it was asked."""

    account_id: int
    model_id: int | None = None
    deployment_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that was set: by scope, by the id of the account, model or deployment."""

    platform: Keep = FOREVER
    made: Mapping[Scope, Mapping[int, Setting]] = field(default_factory=dict)

    def of(self, subject: Subject) -> Keep:
        """Return how long a prediction's data is kept."""
        found = self.platform
        for scope, id_ in (
            (Scope.ACCOUNT, subject.account_id),
            (Scope.MODEL, subject.model_id),
            (Scope.DEPLOYMENT, subject.deployment_id),
        ):
            setting = None if id_ is None else self.made.get(scope, {}).get(id_)
            if setting is not None:
                mine = setting.owner_id == subject.account_id
                found = setting.keep if mine else shorter(found, setting.keep)
        return found


def shorter(one: Keep, other: Keep) -> Keep:
    """Return the one that ends first."""
    if one.seconds is None or other.seconds is None:
        return other if one.seconds is None else one
    return one if one.seconds <= other.seconds else other


def problem_of(seconds: int) -> str | None:
    """Say why data cannot be kept for so long; None when it can."""
    shortest, longest = int(SHORTEST.total_seconds()), int(LONGEST.total_seconds())
    if shortest <= seconds <= longest:
        return None
    return f"{seconds} seconds is not from {shortest} (one hour) to {longest} (ten years); or say {FOREVER_WORD!r}."


def read(text: str) -> Keep | None:
    """Read `12h`, `30d`, `4w`, a number of seconds, or `forever`; None for what is none of them."""
    if text == FOREVER_WORD:
        return FOREVER
    match = _DURATION.fullmatch(text)
    return None if match is None else Keep(int(match[1]) * _UNITS[match[2]])
