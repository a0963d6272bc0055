"""What goes with a deleted version, after it: its predictions with all that they hold.

Theory of operation. A version, its image's manifest and a note that its predictions have to go are changed in one
transaction; the predictions go afterwards, some at a time, so that nobody waits for a version that was run a million
times. The note stays until the last has gone, so that whoever was killed in the middle goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from cogyard.features.versions.ports import RemovalStore
from cogyard.features.world import World

_log = logging.getLogger(__name__)

BATCH = 200
# Also without being rung: a full disk may have stopped the last try.
PAUSE = 60.0


@dataclass(frozen=True, kw_only=True)
class Removals:
    """Removes as long as `run()` runs; `ring()` says that there is something to remove."""

    store: RemovalStore
    world: World = field(default_factory=World)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """Say that a version has been deleted."""
        self._bell.set()

    async def run(self) -> None:
        """Remove what is to be removed, until cancelled."""
        while True:
            self._bell.clear()
            await self.sweep()
            try:
                await asyncio.wait_for(self._bell.wait(), PAUSE)
            except TimeoutError:
                continue

    async def sweep(self) -> int:
        """Remove all that is to be removed now; return how many predictions that were."""
        total = 0
        for removal in await self.store.removals():
            count = 0
            while gone := await self.store.remove_predictions(removal, BATCH, self.world.now()):
                count += gone
            await self.store.forget(removal)
            fields = {"model": removal.model, "version": removal.version, "predictions": count}
            _log.info("version removed", extra={"action": "version_removed", **fields})
            total += count
        return total
