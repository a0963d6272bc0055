"""Numbers of a command line and an environment: which are allowed, and the words that say so.

Imported while the worker does not run yet, so it loads nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from cog_server.errors import StartError


class Number:
    """A kind of number: `read` makes one of a text, and `fits` says whether it is allowed."""

    def __init__(self, read: Callable[[str], float], fits: Callable[[float], bool], words: str) -> None:
        self._read = read
        self._fits = fits
        self.words = words

    def __call__(self, text: str) -> float:
        """Return the number of an argument. Raises what argparse tells its caller."""
        try:
            value = self._read(text)
        except ValueError:
            value = None
        if value is None or not self._fits(value):
            raise argparse.ArgumentTypeError(f"{text[:60]!r} is not {self.words}")
        return value

    def of(self, env: Mapping[str, str], name: str, default: float | None = None) -> float | None:
        """Return the number of a variable; unset and empty are the default. Raises StartError."""
        text = env.get(name, "")
        if not text:
            return default
        try:
            return self(text)
        except argparse.ArgumentTypeError:
            raise StartError(f"{name} is {text[:60]!r}; it must be {self.words}") from None


_ENDLESS = float("inf")
PORT = Number(int, lambda value: 0 <= value <= 65535, "a whole number from 0 to 65535")
POSITIVE = Number(int, lambda value: value >= 1, "a whole number from 1 up")
COUNT = Number(int, lambda value: value >= 0, "a whole number from 0 up")
SECONDS = Number(float, lambda value: 0 < value < _ENDLESS, "a number of seconds above 0")
PAUSE = Number(float, lambda value: 0 <= value < _ENDLESS, "a number of seconds from 0 up")
