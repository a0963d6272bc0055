"""How setup() of a model went, and what it said."""

from __future__ import annotations

import time

SETUP_LOG_LIMIT = 1 << 20
"""Characters of setup() logs that are kept."""


class Setup:
    """How setup() went."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self.completed_at: float | None = None
        self.status = "starting"
        #: The signal that ended the worker in it.
        self.signal: int | None = None
        self._logs: list[str] = []
        self._size = 0

    def text(self, text: str) -> None:
        """Add to the logs, up to the limit."""
        if self._size < SETUP_LOG_LIMIT:
            self._logs.append(text[: SETUP_LOG_LIMIT - self._size])
            self._size += len(text)

    def done(self, status: str, why: str = "") -> None:
        """Note the end; why it failed is the last line of the logs, also where the model has not said it."""
        if why and why not in self.logs:
            # Beyond the limit too: a log that is too long must not hide it.
            before = "" if not self.logs or self.logs.endswith("\n") else "\n"
            self._logs.append(f"{before}{why}\n")
        self.completed_at = time.time()
        self.status = status

    @property
    def logs(self) -> str:
        """All text so far."""
        return "".join(self._logs)
