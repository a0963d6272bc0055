"""What ended predictions hold is removed after a while, when the operator says so; that they were, stays.

Theory of operation. Ids sort by age, so what is due is at the beginning of them, and a sweep goes on where the last one
ended. It begins a while before that place, for what was still running then, and at the very beginning at each start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from cogyard.domain.ids import first_id
from cogyard.features.predictions.ports import KeepingStore
from cogyard.features.world import World

BATCH = 200
#: However long a prediction runs, it is found by a sweep when it ends within this of its creation.
LOOK_BACK = timedelta(days=2)


@dataclass
class _Walk:
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Removes inputs, outputs, logs and files of predictions that are older than `keep`; examples are kept."""

    store: KeepingStore
    keep: timedelta
    world: World = field(default_factory=World)
    _walk: _Walk = field(default_factory=_Walk)

    async def sweep(self) -> int:
        """Remove all that is due; return how many predictions that were."""
        now = self.world.now()
        before, removed = now - self.keep, 0
        while True:
            ids = await self.store.remove_data(self._walk.after, before, BATCH, now)
            removed += len(ids)
            if len(ids) < BATCH:
                self._walk.after = first_id(before - LOOK_BACK)
                return removed
            self._walk.after = ids[-1]
