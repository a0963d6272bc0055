"""Where `CancelationException` was in Cog 0.14 to 0.16, and where its guide told authors to import it from."""

from __future__ import annotations

from cog.errors import CancelationException

__all__ = ["CancelationException"]
