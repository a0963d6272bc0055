"""What a machine has and what instances hold of it: values that add up, so that no machine is promised twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """Processors (parts too), bytes of memory, whole GPUs; and bytes of disk, which are a limit and not counted."""

    cpus: float = 0.0
    memory: int = 0
    gpus: int = 0
    disk: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            cpus=self.cpus + other.cpus, memory=self.memory + other.memory, gpus=self.gpus + other.gpus
        )

    def __sub__(self, other: Self) -> Self:
        return type(self)(
            cpus=self.cpus - other.cpus, memory=self.memory - other.memory, gpus=self.gpus - other.gpus
        )

    def fits_in(self, room: Self) -> bool:
        """Say whether there is enough of everything that is wanted; a lack of what is not wanted does no harm."""
        # A thousandth of a processor is the rounding of sums, not a promise.
        return (
            (not self.cpus or self.cpus <= room.cpus + 0.001)
            and (not self.memory or self.memory <= room.memory)
            and (not self.gpus or self.gpus <= room.gpus)
        )

    def missing_in(self, room: Self) -> str:
        """Say what there is too little of, with both numbers; empty when it fits."""
        lacks = []
        if self.cpus and self.cpus > room.cpus + 0.001:
            lacks.append(f"{self.cpus:g} processors of {room.cpus:g}")
        if self.memory and self.memory > room.memory:
            lacks.append(f"{self.memory / (1 << 30):.1f} GiB of memory of {room.memory / (1 << 30):.1f}")
        if self.gpus and self.gpus > room.gpus:
            lacks.append(f"{self.gpus} GPUs of {room.gpus}")
        return ", ".join(lacks)


NOTHING = Resources()


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What one instance was given: so much, and these GPUs."""

    resources: Resources = NOTHING
    devices: tuple[int, ...] = ()

    @property
    def lacks(self) -> int:
        """How many of its GPUs there were none left for; such an instance may not start."""
        return self.resources.gpus - len(self.devices)


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


def free_devices(count: int, taken: Iterable[int], wanted: int) -> tuple[int, ...]:
    """Choose GPUs by number, of those that no instance holds; fewer than wanted when there are not so many."""
    held = set(taken)
    return tuple([number for number in range(count) if number not in held][:wanted])
