"""Prediction ids: those that clients choose, and those that are made."""

from __future__ import annotations

import os
import re

from cog_server.errors import InputInvalidError, Problem

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def make_id() -> str:
    """Return a new id: 26 characters of hexadecimal randomness."""
    return os.urandom(13).hex()


def check_id(given: object) -> str:
    """Return a client's id. Raises InputInvalidError when it is not 1 to 128 of `[A-Za-z0-9_-]`."""
    if isinstance(given, str) and _ID.fullmatch(given):
        return given
    message = "a prediction's id is 1 to 128 of the characters A-Z, a-z, 0-9, _ and -"
    raise InputInvalidError([Problem(("body", "id"), message, "value_error.id")])
