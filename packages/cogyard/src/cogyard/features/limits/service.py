"""Limits of models: how many predictions in a window, how many at once; whoever asks.

Theory of operation. A prediction is admitted before it is written. Which models have limits is at hand in this
process, so that all others cost one look into a dictionary. Of a limited model the predictions that wait or run are
remembered by their ids: from when they are admitted until their end is heard of. An end may go unheard (whoever
reported it was stopped in the middle), so before anybody is refused the ids are held against the queue. The window is
a bucket in memory, which costs a create nothing; when a platform starts, the predictions' rows say what is in it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from cogyard.domain.rates import Bucket, take
from cogyard.domain.values import Account, Model, Prediction
from cogyard.features.limits.ports import NO_LIMITS, LimitStore, ModelLimits
from cogyard.features.models import policy
from cogyard.features.models.service import Models
from cogyard.features.world import World
from cogyard.http.errors import BusyError, ForbiddenError, InvalidError, NotFoundError

#: What a limit may be.
MOST, LONGEST_WINDOW = 1_000_000, 86_400
# Nobody knows when a running prediction ends; clients that were told less would ask more often than it helps.
COME_BACK = 5
# How long a look at the queue may be used when one after the other is refused.
LOOK_LIFE = 1.0


@dataclass
class _Room:
    """What is remembered of one limited model."""

    bucket: Bucket | None = None
    window: ModelLimits = NO_LIMITS
    """The limits that the bucket was filled by: with others it begins anew."""
    inside: set[str] = field(default_factory=set)
    """Predictions that wait or run."""
    whole: bool = False
    """Whether those are inside that came before anybody counted."""
    entering: set[str] = field(default_factory=set)
    """Those that are being written: the queue does not know them yet."""
    looked_at: float = -math.inf
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.inside) + len(self.entering)


@dataclass(frozen=True, kw_only=True)
class ModelAdmission:
    """A model's limits are set by whoever may change it, and hold for everybody. Call `load()` now and then."""

    store: LimitStore
    models: Models
    world: World = field(default_factory=World)
    _known: dict[str, ModelLimits] = field(default_factory=dict)
    _rooms: dict[str, _Room] = field(default_factory=dict)
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def load(self) -> None:
        """Read which models have limits; others may have set them, and models go."""
        # One at a time, or an older look could take the place of a newer one.
        async with self._loading:
            self._learn(await self.store.limits())

    async def begin(self) -> None:
        """Read the limits, and fill their windows as they were when the last platform ended: by what was asked since.

        Whatever was asked for within a window counts as if it had just been: a limit may be a little stricter until a
        window has passed, never looser.
        """
        await self.load()
        now = self.world.now()
        for model, limits in list(self._known.items()):
            if limits.predictions is None:
                continue
            since = now - timedelta(seconds=limits.window)
            asked = await self.store.asked(model, since, limits.predictions)
            room = self._rooms.setdefault(model, _Room())
            room.bucket = Bucket(float(limits.predictions - asked), self.world.elapsed())
            room.window = limits

    async def get(self, caller: Account, owner: str, name: str) -> ModelLimits:
        """Return a model's limits. Raises NotFoundError, ForbiddenError."""
        model = await self._changeable(caller, owner, name)
        return (await self.store.limits()).get(model.path, NO_LIMITS)

    async def set(self, caller: Account, owner: str, name: str, limits: ModelLimits) -> ModelLimits:
        """Set a model's limits. Raises NotFoundError, ForbiddenError, InvalidError."""
        model = await self._changeable(caller, owner, name)
        _refuse(limits)
        if not await self.store.set(model.id, limits):
            raise NotFoundError
        await self.load()
        return limits

    async def enter(self, model: str, prediction_id: str) -> None:
        """Admit a prediction that is about to be written. Raises BusyError, which says whose limit it is."""
        limits = self._known.get(model)
        if limits is None:
            return
        room = self._rooms.setdefault(model, _Room())
        if limits.at_once is not None:
            await self._make_room(model, room, limits.at_once)
        # Nothing may be awaited from here on: there is room for this one, and for no other.
        if limits.predictions is not None:
            self._take(model, room, limits, limits.predictions)
        if limits.at_once is None:
            room.whole = False
            room.inside.clear()
        else:
            room.entering.add(prediction_id)

    def entered(self, model: str, prediction_id: str, *, written: bool) -> None:
        """Note that an admitted prediction is in the queue now, or that it will never be."""
        room = self._rooms.get(model)
        if room is None or prediction_id not in room.entering:
            return
        room.entering.discard(prediction_id)
        if written:
            room.inside.add(prediction_id)

    def ended(self, prediction: Prediction) -> None:
        """Note that a prediction has ended."""
        room = self._rooms.get(prediction.model)
        if room is not None:
            room.entering.discard(prediction.id)
            room.inside.discard(prediction.id)

    async def _make_room(self, model: str, room: _Room, most: int) -> None:
        async with room.lock:
            if not room.whole:
                room.inside |= set(await self.store.unended(model)) - room.entering
                room.whole = True
            if room.count >= most and self.world.elapsed() - room.looked_at >= LOOK_LIFE:
                room.looked_at = self.world.elapsed()
                asked = frozenset(room.inside)
                room.inside -= asked - await self.store.still_unended(asked)
        if (count := room.count) >= most:
            raise BusyError(
                f"{count} predictions of {model} wait or run; its owner lets at most {most} do so at once, of all"
                " accounts together. Ask again when one has ended.",
                retry_after=COME_BACK,
                limit=most,
            )

    def _take(self, model: str, room: _Room, limits: ModelLimits, most: int) -> None:
        if (room.window.predictions, room.window.window) != (limits.predictions, limits.window):
            room.bucket, room.window = None, limits
        taken = take(room.bucket, most, self.world.elapsed(), period=limits.window)
        room.bucket = taken.bucket
        if taken.wait > 0:
            raise BusyError(
                f"Request was throttled: the owner of {model} lets at most {most} predictions of it be asked for in"
                f" {limits.window} seconds, by all accounts together. The limit resets in ~{taken.seconds}s.",
                retry_after=taken.seconds,
                limit=most,
            )

    async def _changeable(self, caller: Account, owner: str, name: str) -> Model:
        model = await self.models.get(caller, owner, name)
        if not policy.may_change(caller, model):
            raise ForbiddenError(f"Only the owner of {model.path} may see and set its limits.")
        return model

    def _learn(self, limits: Mapping[str, ModelLimits]) -> None:
        self._known.clear()
        self._known.update(limits)
        for gone in set(self._rooms) - set(limits):
            del self._rooms[gone]


def _refuse(limits: ModelLimits) -> None:
    given = (("predictions", limits.predictions, MOST), ("at_once", limits.at_once, MOST))
    problems = [
        (name, f"{value} is not from 1 to {most}.")
        for name, value, most in (*given, ("window", limits.window, LONGEST_WINDOW))
        if value is not None and not 1 <= value <= most
    ]
    if problems:
        raise InvalidError("\n".join(f"{name}: {what}" for name, what in problems), problems=problems)
