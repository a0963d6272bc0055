"""The autoscaling policy: who starts, who drains, and when time alone matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cogyard.domain.autoscale import (
    Demand,
    Drain,
    InstanceView,
    Limits,
    Phase,
    Scale,
    Start,
    decide,
    next_change,
    wanted,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = Limits(max_instances=2, patience=timedelta(seconds=30))


def _ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def _waits(count: int = 1, since: float = 0, **more: Any) -> Demand:
    return Demand(waiting=count, waiting_since=_ago(since), **more)


def _ready(
    id: str, deployable: str, *, busy: int = 0, idle: float | None = None, since: float = 100
) -> InstanceView:
    return InstanceView(
        id=id,
        deployable=deployable,
        phase=Phase.READY,
        since=_ago(since),
        busy=busy,
        idle_since=_ago(idle) if idle is not None else None,
    )


def _starting(id: str, deployable: str) -> InstanceView:
    return InstanceView(id=id, deployable=deployable, phase=Phase.STARTING, since=_ago(1))


def test_waiting_work_starts_an_instance_from_zero() -> None:
    """Work that waits with no instance starts one."""
    assert decide({"a": _waits()}, [], LIMITS, NOW) == [Start(deployable="a")]


def test_a_starting_instance_is_enough() -> None:
    """A second request while one instance starts does not start another."""
    assert decide({"a": _waits(5)}, [_starting("1", "a")], LIMITS, NOW) == []


def test_nothing_waits_nothing_happens() -> None:
    """An idle platform decides nothing."""
    assert decide({}, [], LIMITS, NOW) == []
    assert next_change({}, [], LIMITS, NOW) is None


def test_several_instances_when_allowed() -> None:
    """A deployable that may have more gets as many as its load fills, within the machine."""
    demand = _waits(9, scale=Scale(max_instances=5))
    assert decide({"a": demand}, [_ready("1", "a", busy=1)], Limits(max_instances=3), NOW) == [
        Start(deployable="a"),
        Start(deployable="a"),
    ]


def test_slots_count_as_room() -> None:
    """An instance with eight slots carries eight requests."""
    demand = _waits(7, scale=Scale(max_instances=5))
    view = InstanceView(id="1", deployable="a", phase=Phase.READY, since=_ago(1), slots=8, busy=1)
    assert wanted(demand, [view]) == 1


def test_idle_past_its_timeout_is_drained() -> None:
    """Scale to zero: an instance idle for its timeout drains, one second before it does not."""
    assert decide({}, [_ready("1", "a", idle=300)], LIMITS, NOW) == [Drain(instance="1", reason="idle")]
    assert decide({}, [_ready("1", "a", idle=299)], LIMITS, NOW) == []


def test_many_that_share_what_one_could_do_become_one() -> None:
    """None of them is ever idle for long; where one was enough for all of the idle timeout, the others drain."""
    views = [
        _ready(str(number), "a", busy=number == 2, idle=None if number == 2 else 3, since=400)
        for number in range(3)
    ]
    shared = Scale(max_instances=3)
    spare = decide({"a": Demand(scale=shared, peak=1)}, views, LIMITS, NOW)
    assert spare == [Drain(instance="0", reason="spare"), Drain(instance="1", reason="spare")]
    for demand in (
        Demand(scale=shared, peak=3),
        Demand(scale=Scale(min_instances=3, max_instances=3), peak=1),
        Demand(scale=shared, peak=None),
        _waits(scale=shared, peak=1),
    ):
        assert not [
            action for action in decide({"a": demand}, views, LIMITS, NOW) if isinstance(action, Drain)
        ]
    assert decide({"a": Demand(scale=shared, peak=0)}, views, LIMITS, NOW) == spare, (
        "the last one by its idleness alone"
    )
    new = [replace(view, since=_ago(299)) for view in views]
    assert decide({"a": Demand(scale=shared, peak=1)}, new, LIMITS, NOW) == [], (
        "a burst may have just made them"
    )


def test_minimum_is_kept_warm() -> None:
    """A minimum of one is started without work and never drained for being idle."""
    demand = Demand(scale=Scale(min_instances=1))
    assert decide({"a": demand}, [], LIMITS, NOW) == [Start(deployable="a")]
    assert decide({"a": demand}, [_ready("1", "a", idle=9999)], LIMITS, NOW) == []


def test_full_machine_stops_the_longest_idle_for_another() -> None:
    """Work for a third version takes the place of the instance idle longest, not of a busy one."""
    instances = [_ready("1", "a", idle=5), _ready("2", "b", idle=50)]
    assert decide({"c": _waits()}, instances, LIMITS, NOW) == [Drain(instance="2", reason="room")]


def test_no_second_victim_while_one_drains() -> None:
    """A place being freed is not freed twice."""
    draining = InstanceView(id="2", deployable="b", phase=Phase.DRAINING, since=_ago(1))
    assert decide({"c": _waits(since=99)}, [_ready("1", "a", idle=5), draining], LIMITS, NOW) == []


def test_busy_machine_takes_turns_after_patience() -> None:
    """When all are busy, who waits past patience gets the place of who has had it longest."""
    instances = [_ready("1", "a", busy=1, since=400), _ready("2", "b", busy=1, since=40)]
    demands = {"a": _waits(10), "b": _waits(10), "c": _waits(1, since=30)}
    assert decide(demands, instances, LIMITS, NOW) == [Drain(instance="1", reason="turn")]
    demands["c"] = _waits(1, since=29)
    assert decide(demands, instances, LIMITS, NOW) == []


def test_longest_waiting_is_first() -> None:
    """With one place left, the deployable that has waited longest gets it."""
    demands = {"a": _waits(since=1), "b": _waits(since=2)}
    assert decide(demands, [_ready("1", "z", busy=1)], LIMITS, NOW)[0] == Start(deployable="b")


def test_backoff_holds_a_start_back() -> None:
    """After a failure no start is tried before its time, and the controller knows when to look again."""
    demand = _waits(not_before=NOW + timedelta(seconds=4))
    assert decide({"a": demand}, [], LIMITS, NOW) == []
    assert next_change({"a": demand}, [], LIMITS, NOW) == NOW + timedelta(seconds=4)


def test_next_change_is_the_idle_timeout() -> None:
    """With one idle instance the next moment that matters is the end of its timeout."""
    assert next_change({}, [_ready("1", "a", idle=100)], LIMITS, NOW) == NOW + timedelta(seconds=200)


_NAMES = st.sampled_from("abcd")
_DEMANDS = st.dictionaries(
    _NAMES,
    st.builds(
        lambda count, since, top: Demand(
            waiting=count, waiting_since=_ago(since) if count else None, scale=Scale(max_instances=top)
        ),
        st.integers(0, 20),
        st.integers(0, 100),
        st.integers(0, 3),
    ),
)


@st.composite
def _fleets(draw: st.DrawFn) -> list[InstanceView]:
    fleet: list[InstanceView] = []
    for index in range(draw(st.integers(0, 4))):
        busy = draw(st.integers(0, 1))
        fleet.append(
            InstanceView(
                id=str(index),
                deployable=draw(_NAMES),
                phase=draw(st.sampled_from(Phase)),
                since=_ago(draw(st.integers(0, 500))),
                busy=busy,
                idle_since=None if busy else _ago(draw(st.integers(0, 500))),
            )
        )
    return fleet


@given(demands=_DEMANDS, fleet=_fleets(), room=st.integers(1, 5))
def test_never_overcommits_never_drains_twice(
    demands: dict[str, Demand], fleet: list[InstanceView], room: int
) -> None:
    """Whatever the state: no more starts than free places, each drain once and only of what lives."""
    actions = decide(demands, fleet, Limits(max_instances=room), NOW)
    starts = [action for action in actions if isinstance(action, Start)]
    drains = [action.instance for action in actions if isinstance(action, Drain)]
    assert len(starts) <= max(0, room - len(fleet))
    assert len(drains) == len(set(drains))
    assert set(drains) <= {view.id for view in fleet if view.phase is not Phase.DRAINING}


@given(demands=_DEMANDS, room=st.integers(1, 5))
def test_an_empty_machine_always_serves_someone(demands: dict[str, Demand], room: int) -> None:
    """With nothing running, waiting work that may have an instance gets one."""
    able = [name for name, demand in demands.items() if demand.waiting and demand.scale.max_instances]
    assert bool(decide(demands, [], Limits(max_instances=room), NOW)) == bool(able)


def test_a_lowered_maximum_drains_the_surplus_whether_or_not_work_waits() -> None:
    """Those that are not ready yet go first, then the least busy; with a maximum of nothing all of them go."""
    demand = _waits(4, scale=Scale(max_instances=1))
    instances = [_ready("1", "a", busy=1), _starting("2", "a"), _ready("3", "a", idle=5)]
    drained = decide({"a": demand}, instances, Limits(max_instances=9), NOW)
    assert drained == [Drain(instance="2", reason="surplus"), Drain(instance="3", reason="surplus")]
    nothing = Demand(scale=Scale(max_instances=0))
    assert len(decide({"a": nothing}, instances, Limits(max_instances=9), NOW)) == 3


def test_a_minimum_that_could_not_start_is_tried_again_although_nothing_waits() -> None:
    """The controller has to wake for it by itself."""
    later = NOW + timedelta(seconds=4)
    demand = Demand(not_before=later, scale=Scale(min_instances=1))
    assert decide({"a": demand}, [], LIMITS, NOW) == []
    assert next_change({"a": demand}, [], LIMITS, NOW) == later
    assert decide({"a": demand}, [], LIMITS, later) == [Start(deployable="a")]


def test_the_idle_make_room_for_a_minimum_but_the_busy_do_not() -> None:
    """A promise that nobody waits for is kept before an instance that does nothing, not before one at work."""
    kept = Demand(scale=Scale(min_instances=1))
    idle = [_ready("1", "a", idle=10), _ready("2", "b", busy=1)]
    assert decide({"a": Demand(), "b": Demand(), "c": kept}, idle, LIMITS, NOW) == [
        Drain(instance="1", reason="room")
    ]
    busy = [_ready("1", "a", busy=1), _ready("2", "b", busy=1)]
    assert decide({"a": Demand(), "b": Demand(), "c": kept}, busy, LIMITS, NOW) == []
    promised = {"a": kept, "b": kept, "c": kept}
    both = [_ready("1", "a", idle=10), _ready("2", "b", idle=10)]
    assert decide(promised, both, LIMITS, NOW) == []
