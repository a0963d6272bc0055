"""Who is told what a build or push does."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hear of steps that are finished, and of what goes on meanwhile."""

    def done(self, text: str) -> None:
        """Hear that a step is finished."""
        ...

    def detail(self, text: str) -> None:
        """Hear what goes on just now."""
        ...

    def warn(self, text: str) -> None:
        """Hear something that may surprise."""
        ...


class Silent:
    """Tell nobody."""

    def done(self, text: str) -> None:
        """Do nothing."""

    def detail(self, text: str) -> None:
        """Do nothing."""

    def warn(self, text: str) -> None:
        """Do nothing."""
