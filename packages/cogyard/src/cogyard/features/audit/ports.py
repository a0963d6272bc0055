"""What the audit log keeps, and what it asks of whoever keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that somebody did. Names stay as they were at the time, also when who has them is gone."""

    at: datetime
    #: The account's name; of a command, the system user's; empty when nobody knows.
    actor: str
    #: How it was done: `token`, `session`, `registry`, `password`, `link`, `command`.
    via: str
    #: Such as `models.update`; API operations are called as in the reference.
    action: str
    #: What it was done to, such as `ada/upscale`.
    subject: str = ""
    #: The address it came from, as far as that can be believed; empty for commands.
    client: str = ""
    #: The HTTP status it was refused with; None is what was done.
    refused: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which entries to return: those of an actor, of an action or its beginning, since a moment; None is all."""

    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    limit: int = 100


class AuditStore(Protocol):
    """Keeps entries, in the order they came, and never changes one."""

    async def add(self, entry: Entry) -> None:
        """Keep an entry, durably."""
        ...

    async def entries(self, wanted: Wanted) -> tuple[Entry, ...]:
        """Return the newest entries that are wanted, newest first."""
        ...

    async def prune(self, before: datetime) -> int:
        """Forget what is older; return how many entries that were."""
        ...
