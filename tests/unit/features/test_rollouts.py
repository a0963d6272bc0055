"""Rollouts as releases are made and instances come and go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cogyard.domain.autoscale import InstanceView, Phase, Scale
from cogyard.domain.deployables import of_deployment
from cogyard.domain.deployments import Configuration, Deployment, Release
from cogyard.domain.values import Account
from cogyard.features.deployments.rollouts import Progress, Rollouts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Account(id=1, username="ann", name="Ann", created_at=NOW)
SCALE = Scale(max_instances=1)


def _deployment(number: int, version: str, *, most: int = 1) -> Deployment:
    wanted = Configuration(version=version, hardware="cpu", min_instances=0, max_instances=most)
    release = Release(number=number, configuration=wanted, created_at=NOW, created_by=ANN)
    return Deployment(id=7, owner="ann", name="front", model="ann/m", created_at=NOW, release=release)


def _views(**phases: Phase) -> list[InstanceView]:
    return [
        InstanceView(
            id=version, deployable=of_deployment(version, 7), phase=phase, since=NOW + timedelta(days=n)
        )
        for n, (version, phase) in enumerate(phases.items())
    ]


def _see(rollouts: Rollouts, views: list[InstanceView], *failing: str) -> None:
    rollouts.views = lambda: views
    rollouts.observe(failing)


def test_from_the_release_to_the_switch() -> None:
    """The old version serves, is kept and is told of, until the new one is ready."""
    rollouts, second = Rollouts(), _deployment(2, "b")
    _see(rollouts, _views(a=Phase.READY))
    rollouts.released(second)
    assert rollouts.serving(second, "b") == "a"
    assert rollouts.progress(second) == Progress(awaited=("b",), serving="a")
    kept = Scale(min_instances=1, max_instances=1)
    assert rollouts.scales(second, SCALE) == {of_deployment(version, 7): kept for version in "ab"}
    _see(rollouts, _views(a=Phase.READY, b=Phase.STARTING))
    assert rollouts.serving(second, "b") == "a"
    _see(rollouts, _views(a=Phase.READY, b=Phase.READY))
    assert rollouts.serving(second, "b") == "b"
    assert rollouts.progress(second) is None
    assert rollouts.scales(second, SCALE) == {}


def test_a_release_that_cannot_start_leaves_the_old_one_serving_until_the_next() -> None:
    """A rollback to what serves ends it at once."""
    rollouts, second = Rollouts(), _deployment(2, "b")
    _see(rollouts, _views(a=Phase.READY))
    rollouts.released(second)
    for _ in range(3):
        _see(rollouts, _views(a=Phase.READY), of_deployment("b", 7))
    assert rollouts.serving(second, "b") == "a"
    back = _deployment(3, "a")
    rollouts.released(back)
    assert rollouts.progress(back) is None
    assert rollouts.serving(back, "a") == "a"


def test_a_release_that_switches_off_waits_for_nothing() -> None:
    """Nor does one that another process has overtaken."""
    rollouts = Rollouts()
    _see(rollouts, _views(a=Phase.READY))
    rollouts.released(_deployment(2, "b"))
    overtaken = _deployment(3, "c")
    assert rollouts.serving(overtaken, "c") == "c"
    rollouts.released(_deployment(4, "d", most=0))
    assert rollouts.progress(_deployment(4, "d", most=0)) is None


def test_a_rollout_that_a_kill_interrupted_goes_on() -> None:
    """What served before serves, ready or not, and both are started; the new release serves once it can."""
    rollouts, second = Rollouts(), _deployment(2, "b")
    rollouts.resumed(second, _deployment(1, "a").release.configuration)
    assert rollouts.progress(second) == Progress(awaited=("b",), serving="a")
    kept = Scale(min_instances=1, max_instances=1)
    assert rollouts.scales(second, SCALE) == {of_deployment(version, 7): kept for version in "ab"}
    for views in ([], _views(b=Phase.STARTING), _views(a=Phase.READY, b=Phase.STARTING)):
        _see(rollouts, views)
        assert rollouts.serving(second, "b") == "a"
    assert rollouts.settled() == {}
    _see(rollouts, _views(a=Phase.READY, b=Phase.READY))
    assert rollouts.serving(second, "b") == "b"
    assert rollouts.settled() == {7: 2}
    assert rollouts.settled() == {}, "it is said once"


def test_a_resumed_release_that_cannot_start_says_so() -> None:
    """The old one goes on serving, also with nothing ready, and through the release that follows."""
    rollouts, second, third = Rollouts(), _deployment(2, "b"), _deployment(3, "c")
    rollouts.resumed(second, _deployment(1, "a").release.configuration)
    _see(rollouts, [], of_deployment("b", 7))
    assert rollouts.progress(second) == Progress(awaited=("b",), serving="a", failing=("b",))
    rollouts.released(third)
    assert rollouts.serving(third, "c") == "a"
    back = _deployment(4, "a")
    rollouts.released(back)
    assert rollouts.progress(back) is None
    assert rollouts.settled() == {7: 4}


def test_a_release_serves_at_once_where_nothing_does() -> None:
    """An idle deployment has no rollout to go on with; nor has one that is switched off."""
    rollouts = Rollouts()
    assert not rollouts.changed.is_set()
    rollouts.released(_deployment(2, "b"))
    assert rollouts.changed.is_set()
    assert rollouts.settled() == {7: 2}
    assert not rollouts.changed.is_set()
    off = _deployment(3, "b", most=0)
    rollouts.resumed(off, _deployment(2, "a").release.configuration)
    assert rollouts.progress(off) is None
    assert rollouts.settled() == {7: 3}
