"""Prediction ids: those that clients choose, and those that are made."""

from __future__ import annotations

import os
import re

from cog_server.errors import InputInvalidError, Problem

_BYTES = 13
_AT_ONCE = 256
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class _Ids:
    """Randomness for many ids is fetched at once: asking the system for each costs more than the rest of an id."""

    def __init__(self) -> None:
        self._left: list[str] = []

    def make(self) -> str:
        if not self._left:
            random = os.urandom(_BYTES * _AT_ONCE).hex()
            self._left = [random[start : start + 2 * _BYTES] for start in range(0, len(random), 2 * _BYTES)]
        return self._left.pop()


make_id = _Ids().make
"""Return a new id: 26 hexadecimal digits of randomness."""


def check_id(given: object) -> str:
    """Return a client's id. Raises InputInvalidError when it is not 1 to 128 of `[A-Za-z0-9_-]`."""
    if isinstance(given, str) and _ID.fullmatch(given):
        return given
    message = "a prediction's id is 1 to 128 of the characters A-Z, a-z, 0-9, _ and -"
    raise InputInvalidError([Problem(("body", "id"), message, "value_error.id")])
