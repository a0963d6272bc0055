"""How much of a machine instances hold, of each thing that is counted: for the status and the metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cogyard.domain.autoscale import InstanceView
from cogyard.domain.capacity import Resources, total
from cogyard.instances.gpu_names import kind_shown


@dataclass(frozen=True, slots=True)
class Counted:
    """One thing that is counted: `cpus`, `memory_bytes`, or `gpus` of a kind, if kinds are told apart."""

    resource: str
    kind: str
    held: float
    whole: float


def counted(capacity: Resources | None, views: Iterable[InstanceView]) -> tuple[Counted, ...]:
    """Return what is held and what there is; nothing where instances are only counted."""
    if capacity is None:
        return ()
    held = total(view.holds for view in views)
    kinds = ["", *dict(capacity.kinds)]
    return (
        Counted("cpus", "", held.cpus, capacity.cpus),
        Counted("memory_bytes", "", held.memory, capacity.memory),
        *(
            Counted("gpus", kind_shown(kind), held.of_kind(kind), whole)
            for kind in kinds
            if (whole := capacity.of_kind(kind))
        ),
    )
