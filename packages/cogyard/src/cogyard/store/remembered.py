"""What every request asks for and hardly ever changes, kept in memory until it does.

Theory of operation. Triggers count every change of accounts, memberships, tokens, models and versions in one row,
whichever process makes it (migration 0099). That row is read first: while its number is the one that something was
read under, what was read is still so. A change that comes between the two reads is seen by the next one, for then the
number is another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_NUMBER = "SELECT number FROM rights_changed"


@dataclass(eq=False, slots=True)
class Remembered(Generic[K, V]):
    """At most `most` values by their keys; for one connection at a time (`Database.look`)."""

    most: int
    _number: int = -1
    _kept: dict[K, V] = field(default_factory=dict)

    def find(
        self, db: sqlite3.Connection, key: K, read: Callable[[sqlite3.Connection], V | None]
    ) -> V | None:
        """Return what `read` returns, or has returned since anything changed. None is not kept."""
        (number,) = db.execute(_NUMBER).fetchone()
        if number != self._number:
            self._kept.clear()
            self._number = number
        elif (found := self._kept.get(key)) is not None:
            return found
        value = read(db)
        if value is not None:
            if len(self._kept) >= self.most:
                self._kept.clear()
            self._kept[key] = value
        return value

    def forget(self) -> None:
        """Read everything anew: something that is not counted has changed."""
        self._kept.clear()
