"""What ended predictions hold is removed once its time is over; that they were, stays.

Theory of operation. Each setting that ends is a walk through the predictions it is about, in the order of their ids,
which is that of their age. At each one the setting that holds for it is looked up: whichever it is, the walk of that
setting comes by too. A walk goes on where the last one ended, which is before the first prediction that is not ripe
yet. Walks begin anew when any setting has changed, when the platform starts, and once a day: an id made by a clock
that was set back lies behind a walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cogyard.domain.ids import first_id
from cogyard.domain.retention import FOREVER, Keep, Settings
from cogyard.features.retention.ports import Held, Place, RetentionStore
from cogyard.features.world import World

BATCH = 200
ANEW = timedelta(days=1)


@dataclass
class _Walks:
    settings: Settings = field(default_factory=Settings)
    began: datetime | None = None
    after: dict[Place | None, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Removes inputs, outputs, logs and files in time, but those of examples. `platform` holds where none is set."""

    store: RetentionStore
    platform: Keep = FOREVER
    world: World = field(default_factory=World)
    _walks: _Walks = field(default_factory=_Walks)

    async def sweep(self) -> int:
        """Remove all that is due; return how many predictions that were."""
        now = self.world.now()
        settings = Settings(platform=self.platform, made=await self.store.settings())
        self._begin(settings, now)
        return sum([await self._walk(place, keep, settings, now) for place, keep in _ending(settings)])

    def _begin(self, settings: Settings, now: datetime) -> None:
        walks = self._walks
        fresh = walks.began is not None and timedelta(0) <= now - walks.began < ANEW
        if settings != walks.settings or not fresh:
            walks.settings, walks.began, walks.after = settings, now, {}

    async def _walk(self, place: Place | None, keep: Keep, settings: Settings, now: datetime) -> int:
        removed, after = 0, self._walks.after.get(place, "")
        before = first_id(now - timedelta(seconds=keep.seconds or 0))
        resume: str | None = None
        while True:
            batch = await self.store.held(place, after=after, before=before, limit=BATCH)
            due = [
                each.id
                for each in batch
                if each.completed_at is not None and settings.of(each.subject).ends(each.completed_at, now)
            ]
            removed += await self.store.remove_data(due, now) if due else 0
            resume = resume or _resume(batch, after, keep, now)
            after = batch[-1].id if batch else after
            if len(batch) < BATCH:
                break
        self._walks.after[place] = after if resume is None else resume
        return removed


def _ending(settings: Settings) -> list[tuple[Place | None, Keep]]:
    """Return each setting that ends, with the place it is about."""
    made = [
        (Place(scope=scope, id=id_), setting.keep)
        for scope, found in settings.made.items()
        for id_, setting in found.items()
    ]
    return [(place, keep) for place, keep in [(None, settings.platform), *made] if keep.seconds is not None]


def _resume(batch: Sequence[Held], after: str, keep: Keep, now: datetime) -> str | None:
    """Return what comes before the first that this setting will still be about: it runs, or ended too lately."""
    before = (after, *(each.id for each in batch))
    for place, each in enumerate(batch):
        if each.completed_at is None or not keep.ends(each.completed_at, now):
            return before[place]
    return None
