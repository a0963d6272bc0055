"""An audit store in memory; passes the same suite as the one in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cogyard.features.audit.ports import Entry, Wanted


@dataclass
class FakeAudit:
    """An AuditStore for tests."""

    kept: list[Entry] = field(default_factory=list)

    async def add(self, entry: Entry) -> None:
        """Keep an entry."""
        self.kept.append(entry)

    async def entries(self, wanted: Wanted) -> tuple[Entry, ...]:
        """Return what is wanted, newest first."""
        found = [one for one in reversed(self.kept) if _matches(one, wanted)]
        return tuple(found[: wanted.limit])

    async def prune(self, before: datetime) -> int:
        """Forget what is older."""
        count = len(self.kept)
        self.kept = [one for one in self.kept if one.at >= before]
        return count - len(self.kept)


def _matches(entry: Entry, wanted: Wanted) -> bool:
    return (
        (wanted.actor is None or entry.actor.lower() == wanted.actor.lower())
        and (wanted.action is None or f"{entry.action}.".startswith(f"{wanted.action}."))
        and (wanted.since is None or entry.at >= wanted.since)
    )
