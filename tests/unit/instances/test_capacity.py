"""A machine is never promised twice, and who needs much of it gets its turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cogyard.domain.autoscale import Demand, Drain, InstanceView, Limits, Phase, Scale, Start, decide
from cogyard.domain.capacity import NOTHING, Grant, Resources, Room, free_devices, total
from cogyard.instances.limits import InstanceLimits
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = Resources(cpus=4, memory=16 << 30, gpus=2, kinds=(("A100", 1), ("L4", 2)))
SMALL = Resources(cpus=1, memory=2 << 30)
LARGE = Resources(cpus=4, memory=8 << 30, gpus=2)
LIMITS = Limits(max_instances=100, capacity=MACHINE)


def _view(name: str, holds: Resources, *, busy: int = 0, phase: Phase = Phase.READY) -> InstanceView:
    idle = None if busy else NOW - timedelta(seconds=10)
    return InstanceView(
        id=name,
        deployable=name[0],
        phase=phase,
        since=NOW - timedelta(minutes=5),
        busy=busy,
        idle_since=idle,
        holds=holds,
    )


def _asks(needs: Resources, *, waiting: int = 1, since: float = 1.0, most: int = 10) -> Demand:
    return Demand(
        waiting=waiting,
        waiting_since=NOW - timedelta(seconds=since) if waiting else None,
        needs=needs,
        scale=Scale(max_instances=most),
    )


_NEEDS = st.builds(
    Resources,
    cpus=st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0, 9.0]),
    memory=st.sampled_from([0, 1 << 30, 5 << 30, 40 << 30]),
    gpus=st.integers(0, 3),
    kinds=st.sampled_from([(), (("L4", 1),), (("A100", 2),), (("A100", 1), ("L4", 1))]),
)
_VIEWS = st.lists(
    st.tuples(st.sampled_from("abc"), _NEEDS, st.integers(0, 1), st.sampled_from(list(Phase))), max_size=6
)


@given(
    asked=st.dictionaries(st.sampled_from("abcdef"), st.tuples(_NEEDS, st.integers(0, 5)), max_size=6),
    lives=_VIEWS,
)
def test_what_is_started_fits_whatever_is_asked(
    asked: dict[str, tuple[Resources, int]], lives: list[tuple[str, Resources, int, Phase]]
) -> None:
    """Whatever waits and lives, draining ones counted: what is started fits beside it."""
    views = [
        _view(f"{name}{number}", holds, busy=busy, phase=phase)
        for number, (name, holds, busy, phase) in enumerate(lives)
    ]
    demands = {name: _asks(needs, waiting=waiting) for name, (needs, waiting) in asked.items()}
    held = total(view.holds for view in views)
    started = [action.needs for action in decide(demands, views, LIMITS, NOW) if isinstance(action, Start)]
    if held.fits_in(MACHINE):
        assert total([held, *started]).fits_in(MACHINE)
    for needs in started:
        assert needs.fits_in(MACHINE - held)


def test_as_many_start_as_fit() -> None:
    """Four processors hold four instances of one each, though more places are free and more work waits."""
    actions = decide({"a": _asks(SMALL, waiting=9)}, [], LIMITS, NOW)
    assert actions == [Start(deployable="a", needs=SMALL)] * 4


def test_enough_give_way_for_one_that_needs_much() -> None:
    """Several idle ones are drained for a large one, and what they free is not given to small ones that came later."""
    views = [_view(f"a{number}", SMALL) for number in range(4)]
    demands = {"b": _asks(LARGE, since=5), "c": _asks(SMALL, since=1)}
    first = decide(demands, views, LIMITS, NOW)
    assert [type(action) for action in first].count(Drain) >= 1
    assert not [action for action in first if isinstance(action, Start)]
    left = list(views)
    for _ in range(6):  # Each drained one ends; then the controller looks again.
        gone = {action.instance for action in decide(demands, left, LIMITS, NOW) if isinstance(action, Drain)}
        left = [view for view in left if view.id not in gone]
        actions = decide(demands, left, LIMITS, NOW)
        started = [action for action in actions if isinstance(action, Start)]
        if started:
            break
    assert started[0] == Start(deployable="b", needs=LARGE)


def test_nobody_gives_way_to_what_never_fits() -> None:
    """Needs beyond the machine drain nobody, and do not keep others from starting."""
    views = [_view("a1", SMALL)]
    demands = {"b": _asks(Resources(gpus=8), since=100), "c": _asks(SMALL)}
    assert decide(demands, views, LIMITS, NOW) == [Start(deployable="c", needs=SMALL)]


def test_without_capacity_only_places_count() -> None:
    """Where nothing is counted, needs do not matter."""
    actions = decide({"a": _asks(Resources(gpus=8), waiting=3)}, [], Limits(max_instances=2), NOW)
    assert len(actions) == 2


def test_sums_of_parts_of_processors_do_not_drift() -> None:
    """Forty tenths are four processors."""
    tenth = Resources(cpus=0.1)
    room = Room(places=100, resources=MACHINE).without(*[tenth] * 39)
    assert room.holds(tenth)
    assert not room.without(tenth).holds(tenth)
    assert room.without(tenth).with_freed(tenth).holds(tenth)


def test_what_is_missing_is_said() -> None:
    """With the number that is wanted and the one there is."""
    assert Resources(gpus=8, memory=32 << 30).missing_in(MACHINE) == "32.0 GiB of memory of 16.0, 8 GPUs of 2"
    assert SMALL.missing_in(MACHINE) == ""


def test_gpus_are_given_by_number_and_once() -> None:
    """Two instances never get the same GPU."""
    two = Resources(gpus=2)
    assert free_devices([""] * 4, [1], two) == (0, 2)
    assert free_devices([""] * 4, [0, 1, 2], two) == (3,)
    assert free_devices([], [], NOTHING) == ()
    assert free_devices(["L4", "A100", "L4"], [], Resources(kinds=(("L4", 2),))) == (0, 2)


def test_kinds_of_gpus_are_counted_each_by_itself() -> None:
    """One that is free does not stand for another; who gives way must hold what is wanted."""
    machine = Resources(cpus=8, memory=16 << 30, kinds=(("A100", 1), ("L4", 2)))
    small, large = (Resources(cpus=1, memory=1 << 30, kinds=((kind, 1),)) for kind in ("L4", "A100"))
    assert (small + small + large).fits_in(machine)
    assert (large + large).missing_in(machine) == "2 GPUs of kind 'A100' of 1"
    assert machine - large + large == machine
    limits = Limits(max_instances=9, capacity=machine)
    assert (
        decide({"b": _asks(small, waiting=3)}, [_view("a1", large, busy=1)], limits, NOW)
        == [Start(deployable="b", needs=small)] * 2
    )
    views = [_view("a1", large), _view("c1", small), _view("d1", SMALL)]
    made = decide({"b": _asks(large)}, views, limits, NOW)
    assert made == [Drain(instance="a1", reason="room")]


def test_nobody_gives_way_in_vain() -> None:
    """An idle instance that holds nothing of what is lacking stays, however long the other waits."""
    views = [_view("a1", Resources(cpus=1, memory=1 << 30, gpus=2), busy=1), _view("c1", SMALL)]
    wants = _asks(Resources(cpus=1, memory=1 << 30, gpus=1), since=20)
    assert decide({"b": wants}, views, LIMITS, NOW) == []
    full = Limits(max_instances=2, capacity=MACHINE)
    assert decide({"b": _asks(SMALL)}, views, full, NOW) == [Drain(instance="c1", reason="room")]


def test_limits_follow_what_was_given() -> None:
    """An instance's limits are its kind's; what a kind does not say stays."""
    limits = InstanceLimits(memory=8 << 30, scratch=4 << 30)
    assert limits.within(Grant()) == limits
    given_ = limits.within(Grant(resources=SMALL))
    assert (given_.memory, given_.cpus, given_.scratch) == (2 << 30, 1, 2 << 30)


def test_what_may_be_written_is_the_kinds_or_half_of_its_memory() -> None:
    """A kind's own size wins, even over its memory; without one a small kind cannot fill all of its memory."""
    open_, large = InstanceLimits(memory=8 << 30), replace(SMALL, disk=50 << 30)
    assert open_.within(Grant()).scratch == 4 << 30
    assert open_.within(Grant(resources=SMALL)).scratch == 1 << 30
    assert open_.within(Grant(resources=large)).scratch == 50 << 30
    assert replace(open_, scratch=1 << 20).within(Grant(resources=SMALL)).scratch == 1 << 20
    assert (large + large).fits_in(replace(SMALL, cpus=2, memory=4 << 30))


def test_what_is_of_another_kind_than_wished_goes_when_it_is_free() -> None:
    """Whoever chose other hardware gets it as soon as nothing runs, also where an instance is kept."""
    kept = Demand(needs=SMALL, scale=Scale(min_instances=1))
    idle, busy = _view("a1", LARGE), _view("a1", LARGE, busy=1)
    assert decide({"a": kept}, [idle], LIMITS, NOW)[0] == Drain(instance="a1", reason="hardware")
    assert decide({"a": kept}, [busy], LIMITS, NOW) == []
    assert decide({"a": kept}, [_view("a1", SMALL)], LIMITS, NOW) == []
