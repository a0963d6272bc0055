"""What every request asks for and hardly ever changes, kept in memory until it does.

Theory of operation. Triggers count every change of accounts, memberships, tokens, models and versions in one row,
whichever process makes it (migration 0099). That row is read first: while its number is the one that something was
read under, what was read is still so. A change that comes between the two reads is seen by the next one, for then the
number is another.

The row is read once in a pass of the event loop: what asks in the same pass had come before the number was read, so a
change that was over before somebody asked is seen all the same.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_NUMBER = "SELECT number FROM rights_changed"


@dataclass(eq=False, slots=True)
class Changes:
    """How often anything has changed that is remembered; for one connection at a time (`Database.look`)."""

    _number: int | None = None
    _thread: int = 0

    def number(self, db: sqlite3.Connection) -> int:
        """Return the number as this pass of the loop has found it; outside of a loop, as it is."""
        thread = threading.get_ident()
        if self._number is not None and self._thread == thread:
            return self._number
        number: int = db.execute(_NUMBER).fetchone()[0]
        with suppress(RuntimeError):  # no loop runs here
            asyncio.get_running_loop().call_soon(self._forget)
            self._number, self._thread = number, thread
        return number

    def _forget(self) -> None:
        self._number = None


@dataclass(eq=False, slots=True)
class Remembered(Generic[K, V]):
    """At most `most` values by their keys; for one connection at a time (`Database.look`)."""

    most: int
    _number: int = -1
    _kept: dict[K, V] = field(default_factory=dict)

    def find(self, number: int, key: K, read: Callable[[], V | None]) -> V | None:
        """Return what `read` returns, or has returned since the number of changes was another. None is not kept."""
        if number != self._number:
            self._kept.clear()
            self._number = number
        elif (found := self._kept.get(key)) is not None:
            return found
        value = read()
        if value is not None:
            if len(self._kept) >= self.most:
                self._kept.clear()
            self._kept[key] = value
        return value

    def forget(self) -> None:
        """Read everything anew: something that is not counted has changed."""
        self._kept.clear()
