"""Which predictions were handed over to a model: what decides whether a lost one may run again."""

from __future__ import annotations

from typing import Protocol

from cogyard.domain.retry import Seen


class Handovers(Protocol):
    """Notes what is handed over, by its lease, so that it is known even after this process was killed."""

    def note(self, lease_token: str) -> None:
        """Note that a model is about to see what the lease holds. Raises OSError when that can't be kept."""
        ...

    def drop(self, lease_token: str) -> None:
        """Forget a lease: what it held has ended, or no model saw it after all."""
        ...

    def seen(self, lease_token: str) -> Seen:
        """Return whether a model may have seen what the lease holds; may be called by any thread."""
        ...

    def begin(self) -> None:
        """Forget every lease of earlier processes: none of them is held any more. Raises OSError."""
        ...
