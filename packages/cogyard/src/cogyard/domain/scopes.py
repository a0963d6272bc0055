"""How far a token reaches. Each scope holds those before it. Pure."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """What whoever holds a token may do with its account."""

    READ = "read"
    """Look."""

    RUN = "run"
    """Also ask for predictions, cancel them, and upload files."""

    WRITE = "write"
    """Everything."""

    def covers(self, needed: Scope) -> bool:
        """Whether something that needs `needed` may be done."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER = (Scope.READ, Scope.RUN, Scope.WRITE)
