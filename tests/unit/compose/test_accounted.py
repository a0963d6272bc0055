"""How much of a machine is held."""

from __future__ import annotations

from datetime import UTC, datetime

from cogyard.compose.accounted import Counted, counted
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.capacity import Resources

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def _view(phase: Phase, **holds: object) -> InstanceView:
    return InstanceView(
        id="i",
        deployable="d",
        phase=phase,
        since=NOW,
        holds=Resources(cpus=0.5, memory=1 << 30, **holds),  # type: ignore[arg-type] # as given
    )


def test_each_thing_that_is_counted_is_there() -> None:
    """Those that drain hold as well; kinds that no table names are called as the driver calls them."""
    machine = Resources(cpus=2, memory=8 << 30, kinds=(("L4", 2), ("other: NVIDIA T4", 1)))
    views = [_view(Phase.READY, kinds=(("L4", 1),)), _view(Phase.DRAINING)]
    assert counted(machine, views) == (
        Counted("cpus", "", 1.0, 2),
        Counted("memory_bytes", "", 2 << 30, 8 << 30),
        Counted("gpus", "L4", 1, 2),
        Counted("gpus", "NVIDIA T4", 0, 1),
    )
    assert counted(Resources(gpus=2), [_view(Phase.READY, gpus=1)])[-1] == Counted("gpus", "", 1, 2)


def test_where_nothing_is_counted_nothing_is_told() -> None:
    """Instances alone are."""
    assert counted(None, [_view(Phase.READY)]) == ()
