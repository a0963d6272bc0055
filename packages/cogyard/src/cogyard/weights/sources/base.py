"""What every source of weights tells: its files, and a name for this moment of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cogyard.weights.files import WeightFiles

#: Receives one line about what goes on.
Progress = Callable[[str], None]


class Taken(Protocol):
    """Keeps one file; returns its digest and its size."""

    def __call__(self, files: WeightFiles) -> tuple[str, int]:
        """Keep it, once. Raises SourceError, and the errors of `WeightFiles`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file of a source: its path, its size in bytes as far as it is known, and how it is had."""

    path: str
    size: int | None
    take: Taken


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A source's files. `fingerprint` names this moment of it, None where only the files' own digest does."""

    files: tuple[SourceFile, ...]
    fingerprint: str | None = None


class WeightSource(Protocol):
    """A source of weights."""

    def list(self, takes: Callable[[str], bool]) -> Listing:
        """Return the files that are taken. Raises SourceError."""
        ...
