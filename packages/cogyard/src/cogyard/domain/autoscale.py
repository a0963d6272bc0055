"""How many instances of what should live: a pure function of demand, instances, limits and now.

Theory of operation: the controller calls `decide` after every change and applies what it answers. One call
looks at the whole machine, because versions compete for the same places. The order is: keep promises (minimums),
serve what waits longest, make room by stopping what is idle longest, and only when something has waited for
`Limits.patience` while everything is busy, ask the instance that has had its turn longest to drain. Draining
finishes what runs and claims nothing more, so no request is ever dropped: it waits in the queue.

Growing is immediate; shrinking takes the whole idle timeout, in which fewer must have been enough at every look. So an
instance goes when it was idle that long, and also when many share what few could do and none of them is ever idle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from cogyard.domain.capacity import NOTHING, Resources, Room


class Phase(StrEnum):
    """Where an instance is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How one deployable may grow and shrink."""

    min_instances: int = 0
    max_instances: int = 1
    idle_timeout: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What this machine can hold, and how long a request waits before a busy instance must make room."""

    max_instances: int
    patience: timedelta = timedelta(seconds=30)
    #: What there is to give out; None when only instances are counted.
    capacity: Resources | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What is known of one deployable. `not_before` is when a start may be tried again after a failure."""

    waiting: int = 0
    waiting_since: datetime | None = None
    not_before: datetime | None = None
    scale: Scale = Scale()
    #: The most instances that its load has wanted within the idle timeout; None when nobody has looked.
    peak: int | None = None
    #: What one instance holds of the machine while it lives.
    needs: Resources = NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceView:
    """What the policy needs to know of one instance. `since` is when it entered its phase."""

    id: str
    deployable: str
    phase: Phase
    since: datetime
    slots: int = 1
    busy: int = 0
    idle_since: datetime | None = None
    holds: Resources = NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Start one more instance of this deployable, with so much of the machine."""

    deployable: str
    needs: Resources = NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class Drain:
    """Let this instance finish what it runs and end."""

    instance: str
    reason: str


Action = Start | Drain


def decide(
    demands: Mapping[str, Demand], instances: Sequence[InstanceView], limits: Limits, now: datetime
) -> list[Action]:
    """Say what to start and what to drain; an empty list when all is well."""
    alive = [instance for instance in instances if instance.phase is not Phase.DRAINING]
    retired = _retire(demands, alive, now)
    kept = [instance for instance in alive if instance.id not in {action.instance for action in retired}]
    actions: list[Action] = list(retired)
    whole = Room(places=limits.max_instances, resources=limits.capacity)
    room = whole.without(*(instance.holds for instance in instances))
    coming = whole.without(*(instance.holds for instance in kept))
    for deployable in _wanting(demands, kept, now):
        needs = demands[deployable].needs
        if room.holds(needs):
            actions.append(Start(deployable=deployable, needs=needs))
            room, coming = room.without(needs), coming.without(needs)
            continue
        if coming.holds(needs):
            # Room is being made already; the next decision uses it. What is there of it is not given to others.
            room, coming = room.without(needs), coming.without(needs)
            continue
        if limits.capacity is not None and not needs.fits_in(limits.capacity):
            continue  # It never will fit: nobody gives way to it in vain.
        victim = _victim(demands, deployable, kept, limits, now, coming=coming)
        if victim is not None:
            actions.append(victim)
            freed = [instance.holds for instance in kept if instance.id == victim.instance]
            kept = [instance for instance in kept if instance.id != victim.instance]
            # Kept for whoever it is made for, else small ones would take each part of it as it comes.
            room, coming = room.without(needs), coming.with_freed(*freed).without(needs)
    return actions


def wanted(demand: Demand, instances: Sequence[InstanceView]) -> int:
    """Say how many instances of one deployable there should be, idle timeouts aside."""
    needed = loaded(demand.waiting, instances)
    return min(max(demand.scale.min_instances, needed), demand.scale.max_instances)


def loaded(waiting: int, instances: Sequence[InstanceView]) -> int:
    """Say how many instances are needed for what waits and what runs."""
    slots = max((instance.slots for instance in instances), default=1)
    return ceil((waiting + sum(instance.busy for instance in instances)) / slots)


def next_change(
    demands: Mapping[str, Demand], instances: Sequence[InstanceView], limits: Limits, now: datetime
) -> datetime | None:
    """Say when time alone may change the decision, so that nobody needs to poll."""
    moments = [
        instance.idle_since + demands.get(instance.deployable, Demand()).scale.idle_timeout
        for instance in instances
        if instance.phase is Phase.READY and instance.idle_since is not None
    ]
    for demand in demands.values():
        if (demand.waiting or demand.scale.min_instances) and demand.not_before is not None:
            moments.append(demand.not_before)
        if demand.waiting and demand.waiting_since is not None:
            moments.append(demand.waiting_since + limits.patience)
            moments += [i.since + limits.patience for i in instances if i.phase is Phase.READY]
    return min((moment for moment in moments if moment > now), default=None)


def _retire(demands: Mapping[str, Demand], alive: Sequence[InstanceView], now: datetime) -> list[Drain]:
    """Drain what is above a maximum that was lowered, and what has been idle past its timeout, above the minimum."""
    retired: list[Drain] = []
    for deployable in sorted({instance.deployable for instance in alive}):
        demand = demands.get(deployable, Demand())
        mine = [instance for instance in alive if instance.deployable == deployable]
        surplus = sorted(mine, key=_least_missed)[: max(len(mine) - demand.scale.max_instances, 0)]
        retired += [Drain(instance=instance.id, reason="surplus") for instance in surplus]
        mine = [instance for instance in mine if instance not in surplus]
        # Of another kind of hardware than it should be by now: the next one will be of the right one.
        moved = [i for i in mine if deployable in demands and i.holds != demand.needs and _is_free(i, demand)]
        retired += [Drain(instance=instance.id, reason="hardware") for instance in moved]
        mine = [instance for instance in mine if instance not in moved]
        spare = len(mine) - demand.scale.min_instances
        if demand.waiting:
            continue
        idle = [i for i in mine if i.phase is Phase.READY and not i.busy and i.idle_since is not None]
        retired += [
            Drain(instance=instance.id, reason="idle")
            for instance in sorted(idle, key=lambda i: i.idle_since or now)[: max(spare, 0)]
            if now - (instance.idle_since or now) >= demand.scale.idle_timeout
        ]
        retired += _spared(
            demand, [i for i in mine if i.id not in {drain.instance for drain in retired}], now
        )
    return retired


def _is_free(instance: InstanceView, demand: Demand) -> bool:
    return instance.phase is Phase.READY and not instance.busy and not demand.waiting


def _spared(demand: Demand, mine: Sequence[InstanceView], now: datetime) -> list[Drain]:
    """Drain what was not needed at any time of the last idle timeout, though each has had something to do."""
    if demand.peak is None:
        return []
    spare = len(mine) - max(demand.peak, demand.scale.min_instances, 1)
    # One that is new has not been looked at for long enough to say that it is not needed.
    known = [i for i in mine if i.phase is Phase.READY and now - i.since >= demand.scale.idle_timeout]
    return [
        Drain(instance=instance.id, reason="spare")
        for instance in sorted(known, key=_least_missed)[: max(spare, 0)]
    ]


def _least_missed(instance: InstanceView) -> tuple[bool, int, datetime, str]:
    """Order instances by how little is lost without them: those not ready yet, then the least busy, then the oldest."""
    return (instance.phase is Phase.READY, instance.busy, instance.since, instance.id)


def _wanting(demands: Mapping[str, Demand], kept: Sequence[InstanceView], now: datetime) -> list[str]:
    """List deployables short of instances, one entry for each missing one; who waits longest is first."""
    order = sorted(demands, key=lambda name: (demands[name].waiting_since or now, name))
    wanting: list[str] = []
    for deployable in order:
        demand = demands[deployable]
        if demand.not_before is not None and now < demand.not_before:
            continue
        mine = [instance for instance in kept if instance.deployable == deployable]
        wanting += [deployable] * max(0, wanted(demand, mine) - len(mine))
    return wanting


def _victim(
    demands: Mapping[str, Demand],
    wanting: str,
    kept: Sequence[InstanceView],
    limits: Limits,
    now: datetime,
    *,
    coming: Room,
) -> Drain | None:
    """Choose who makes room for `wanting`: the longest idle; past patience of what waits, who had its turn longest.

    `coming` is the room there will be; whoever frees nothing of what it lacks would go in vain.
    """
    demand = demands[wanting]
    counts = {i.deployable: sum(k.deployable == i.deployable for k in kept) for i in kept}
    others = [
        instance
        for instance in kept
        if instance.deployable != wanting
        and instance.phase is Phase.READY
        and coming.helped_by(demand.needs, instance.holds)
        and counts[instance.deployable] > demands.get(instance.deployable, Demand()).scale.min_instances
    ]
    idle = [i for i in others if not i.busy and not demands.get(i.deployable, Demand()).waiting]
    if idle:
        return Drain(instance=min(idle, key=lambda i: (i.idle_since or now, i.id)).id, reason="room")
    if not demand.waiting:
        return None
    waited = now - (demand.waiting_since or now)
    turns = [i for i in others if now - i.since >= limits.patience]
    if waited >= limits.patience and turns:
        return Drain(instance=min(turns, key=lambda i: (i.since, i.id)).id, reason="turn")
    return None
