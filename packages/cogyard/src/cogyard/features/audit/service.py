"""The audit log: notes what was done and what was refused, and forgets it after a time that the operator sets."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cogyard.features.audit.ports import AuditStore, Entry, Wanted
from cogyard.features.audit.refusals import Refusals
from cogyard.features.world import World

_log = logging.getLogger(__name__)

#: Longer words come from strangers, and say no more.
WORD_LIMIT = 300
MOST_SHOWN = 10_000


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Notes and shows. `keep` is how long an entry stays."""

    store: AuditStore
    keep: timedelta
    world: World = field(default_factory=World)
    refusals: Refusals = field(default_factory=Refusals)

    async def note(
        self,
        *,
        actor: str,
        via: str,
        action: str,
        subject: str = "",
        client: str = "",
        refused: int | None = None,
    ) -> None:
        """Keep what somebody did, or was refused with a status; of refusals no more than `Refusals` lets in.

        A store that fails is logged: what was done is done, and must be answered.
        """
        if refused is not None and not self.refusals.admit(actor, self.world.elapsed()):
            return
        entry = Entry(
            at=self.world.now(),
            actor=actor[:WORD_LIMIT],
            via=via,
            action=action[:WORD_LIMIT],
            subject=subject[:WORD_LIMIT],
            client=client[:WORD_LIMIT],
            refused=refused,
        )
        try:
            await self.store.add(entry)
        except Exception:  # noqa: BLE001 - whatever it was
            _log.exception("audit_not_kept", extra={"did": action, "actor": actor, "subject": subject})

    async def entries(self, wanted: Wanted) -> tuple[Entry, ...]:
        """Return what is wanted, newest first, at most `MOST_SHOWN`."""
        return await self.store.entries(replace(wanted, limit=max(1, min(wanted.limit, MOST_SHOWN))))

    async def prune(self) -> int:
        """Forget what is older than entries are kept."""
        return await self.store.prune(self.world.now() - self.keep)
