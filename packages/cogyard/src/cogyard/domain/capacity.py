"""What a machine has and what instances hold of it: values that add up, so that no machine is promised twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """Processors (parts too), bytes of memory, whole GPUs; and bytes of disk, which are a limit and not counted.

    GPUs are all alike (`gpus`), or told apart by kind (`kinds`, sorted): an operator does one or the other.
    """

    cpus: float = 0.0
    memory: int = 0
    gpus: int = 0
    disk: int = 0
    kinds: tuple[tuple[str, int], ...] = ()

    @property
    def all_gpus(self) -> int:
        """How many GPUs there are of all kinds together."""
        return self.gpus + sum(count for _, count in self.kinds)

    def of_kind(self, kind: str) -> int:
        """Return how many GPUs there are of a kind; of none, those that are all alike."""
        return dict(self.kinds).get(kind, 0) if kind else self.gpus

    def __add__(self, other: Self) -> Self:
        return self._with(other, 1)

    def __sub__(self, other: Self) -> Self:
        return self._with(other, -1)

    def _with(self, other: Self, sign: int) -> Self:
        counts = dict(self.kinds)
        for kind, count in other.kinds:
            counts[kind] = counts.get(kind, 0) + sign * count
        return type(self)(
            cpus=self.cpus + sign * other.cpus,
            memory=self.memory + sign * other.memory,
            gpus=self.gpus + sign * other.gpus,
            kinds=tuple(sorted(counts.items())),
        )

    def fits_in(self, room: Self) -> bool:
        """Say whether there is enough of everything that is wanted; a lack of what is not wanted does no harm."""
        return not self.short_of(room)

    def amount(self, resource: str, kind: str = "") -> float:
        """Return how much there is of `cpus`, `memory`, or `gpus` of a kind."""
        return self.of_kind(kind) if resource == "gpus" else float(getattr(self, resource))

    def short_of(self, room: Self) -> list[tuple[str, str]]:
        """Name what is wanted and there is too little of in a room: the resource, and of GPUs the kind."""
        kinds = ["", *dict(self.kinds)]
        wanted = [("cpus", ""), ("memory", ""), *(("gpus", kind) for kind in kinds)]
        # A thousandth of a processor is the rounding of sums, not a promise.
        return [each for each in wanted if 0 < self.amount(*each) > room.amount(*each) + 0.001]

    def missing_in(self, room: Self) -> str:
        """Say what there is too little of, with both numbers; empty when it fits."""
        lacks = []
        for resource, kind in self.short_of(room):
            wanted, there = self.amount(resource, kind), room.amount(resource, kind)
            if resource == "cpus":
                lacks.append(f"{wanted:g} processors of {there:g}")
            elif resource == "memory":
                lacks.append(f"{wanted / (1 << 30):.1f} GiB of memory of {there / (1 << 30):.1f}")
            else:
                of_kind = f" of kind {kind!r}" if kind else ""
                lacks.append(f"{wanted:g} GPUs{of_kind} of {there:g}")
        return ", ".join(lacks)


NOTHING = Resources()


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What one instance was given: so much, and these GPUs, by their places among the machine's."""

    resources: Resources = NOTHING
    devices: tuple[int, ...] = ()

    @property
    def lacks(self) -> int:
        """How many of its GPUs there were none left for; such an instance may not start."""
        return self.resources.all_gpus - len(self.devices)


#: For a machine where nothing is counted but instances.
UNCOUNTED = Grant()


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Places for instances, and what may still be given out; None when only places are counted."""

    places: int
    resources: Resources | None = None

    def holds(self, needs: Resources) -> bool:
        """Say whether one more instance with these needs finds its place."""
        return self.places > 0 and (self.resources is None or needs.fits_in(self.resources))

    def helped_by(self, needs: Resources, held: Resources) -> bool:
        """Say whether what holds this would free any of what there is too little of."""
        if self.places <= 0 or self.resources is None:
            return True
        return any(held.amount(*each) > 0 for each in needs.short_of(self.resources))

    def without(self, *held: Resources) -> Room:
        """Return the room that is left when instances hold this."""
        left = self.resources - total(held) if self.resources is not None else None
        return Room(places=self.places - len(held), resources=left)

    def with_freed(self, *held: Resources) -> Room:
        """Return the room that there is once instances that hold this have ended."""
        left = self.resources + total(held) if self.resources is not None else None
        return Room(places=self.places + len(held), resources=left)


def total(held: Iterable[Resources]) -> Resources:
    """Add up."""
    return sum(held, start=NOTHING)


def free_devices(pools: Sequence[str], taken: Iterable[int], needs: Resources) -> tuple[int, ...]:
    """Choose GPUs by place, of those that no instance holds; fewer than wanted when there are not so many.

    `pools` says of which kind the GPU at each place is; empty where they are all alike.
    """
    held = set(taken)
    free = [place for place in range(len(pools)) if place not in held]
    chosen = list[int]()
    for kind, count in (("", needs.gpus), *needs.kinds):
        chosen += [place for place in free if pools[place] == kind][:count]
    return tuple(sorted(chosen))
