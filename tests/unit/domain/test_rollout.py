"""One release follows another: the old one serves until the new one can."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.autoscale import InstanceView, Phase, Scale
from cogyard.domain.deployables import deployment_of, of_deployment, of_training
from cogyard.domain.deployments import Configuration, Split
from cogyard.domain.rollout import PATIENCE, Rollout, Sight, after, begun, scales, seen, serving

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
NEW = Configuration(version="b", hardware="cpu", min_instances=0, max_instances=2)
SPLIT = replace(NEW, split=Split(version="c", percent=10))


def _sight(*ready: str, starting: str = "", failing: str = "") -> Sight:
    """Return what there is: each letter is an instance of a version, the later the more lately ready."""
    return Sight(
        ready={version: NOW + timedelta(seconds=place) for place, version in enumerate(ready)},
        counts=Counter(ready),
        starting=frozenset(starting),
        failing=frozenset(failing),
    )


OLD_SERVES = _sight("a")


def _begun(configuration: Configuration = NEW, sight: Sight = OLD_SERVES) -> Rollout:
    found = begun(2, configuration, sight, NOW)
    assert found is not None
    return found


def test_a_release_is_waited_for_while_another_version_serves() -> None:
    """What was chosen of the new one goes to the old one."""
    rollout = _begun()
    assert rollout.awaited == {"b": NOW}
    assert serving(rollout, NEW, "b", OLD_SERVES) == "a"


@pytest.mark.parametrize(
    "sight",
    [_sight(), _sight(starting="a"), _sight("a", "b")],
    ids=["nothing", "old not ready", "new ready"],
)
def test_without_something_to_wait_for_or_to_serve_there_is_no_rollout(sight: Sight) -> None:
    """The new version serves at once, or whoever asks waits for it as for any other."""
    assert begun(2, NEW, sight, NOW) is None


def test_a_rollout_ends_when_the_new_version_is_ready() -> None:
    """From then on it serves."""
    assert after(_begun(), NEW, _sight("a", "b"), LATER) is None


def test_a_rollout_ends_when_nothing_serves_any_more() -> None:
    """The old instance died: what comes waits for the new one."""
    assert after(_begun(), NEW, _sight(starting="b"), LATER) is None


def test_a_version_that_gets_ready_or_fails_is_waited_for() -> None:
    """However long: the old one goes on serving when the new one cannot start."""
    for sight in (_sight("a", starting="b"), _sight("a", failing="b")):
        rollout: Rollout | None = _begun()
        now = NOW
        for _ in range(100):
            now += PATIENCE
            assert rollout is not None
            rollout = after(rollout, NEW, sight, now)
        assert rollout is not None
        assert serving(rollout, NEW, "b", sight) == "a"


def test_a_version_without_a_place_is_not_waited_for_longer_than_it_helps() -> None:
    """The machine holds one of the two: the old one must make room."""
    rollout = after(_begun(), NEW, OLD_SERVES, NOW + PATIENCE - timedelta(seconds=1))
    assert rollout is not None
    assert after(rollout, NEW, OLD_SERVES, NOW + PATIENCE) is None


def test_of_a_split_each_version_serves_when_it_is_ready() -> None:
    """Until then the other one does for it, rather than an old one."""
    rollout = _begun(SPLIT)
    assert {version: serving(rollout, SPLIT, version, OLD_SERVES) for version in "bc"} == {"b": "a", "c": "a"}
    sight = _sight("a", "b", starting="c")
    left = after(rollout, SPLIT, sight, LATER)
    assert left is not None
    assert {version: serving(left, SPLIT, version, sight) for version in "bc"} == {"b": "b", "c": "b"}


def test_of_several_old_versions_the_latest_serves() -> None:
    """Releases that came one after the other."""
    sight = _sight("z", "y")
    assert serving(_begun(sight=sight), NEW, "b", sight) == "y"


def test_meanwhile_the_new_one_is_started_and_the_old_one_kept() -> None:
    """Each with one instance at least; old ones that serve nothing are not kept."""
    scale = Scale(min_instances=0, max_instances=2)
    sight = _sight("z", "a")
    found = scales(_begun(sight=sight), NEW, sight, scale)
    assert found == dict.fromkeys("ab", Scale(min_instances=1, max_instances=2))
    found = scales(_begun(sight=sight), replace(NEW, min_instances=2), sight, replace(scale, min_instances=2))
    assert {each.min_instances for each in found.values()} == {2}


def test_a_version_takes_over_with_as_many_instances_as_it_takes_over_from() -> None:
    """Two served, so two are waited for, and started unasked; at least the minimum, at most the maximum."""
    sight = _sight("a", "a")
    rollout = _begun(sight=sight)
    assert scales(rollout, NEW, sight, Scale(max_instances=2))["b"].min_instances == 2
    half = after(rollout, NEW, _sight("a", "a", "b", starting="b"), LATER)
    assert half is not None
    assert serving(half, NEW, "b", _sight("a", "a", "b", starting="b")) == "a"
    assert after(rollout, NEW, _sight("a", "a", "b", "b"), LATER) is None
    assert after(rollout, NEW, _sight("a", "a", "a", "b", "b"), LATER) is None
    wide = replace(NEW, min_instances=3, max_instances=3)
    assert after(_begun(wide), wide, _sight("a", "b", "b", starting="b"), LATER) is not None


def test_with_fewer_it_takes_over_when_no_more_are_coming() -> None:
    """The machine has no place for the second, or it fails: the first can serve."""
    assert after(_begun(sight=_sight("a", "a")), NEW, _sight("a", "a", "b"), LATER) is None
    assert after(_begun(sight=_sight("a", "a")), NEW, _sight("a", "a", "b", failing="b"), LATER) is None


def test_what_is_seen_is_of_one_deployment() -> None:
    """By version: the latest that is ready, all that live but those that end, and what fails."""

    def view(id: str, deployable: str, phase: Phase, since: datetime = NOW) -> InstanceView:
        return InstanceView(id=id, deployable=deployable, phase=phase, since=since)

    views = [
        view("1", of_deployment("a", 7), Phase.READY),
        view("2", of_deployment("a", 7), Phase.READY, LATER),
        view("3", of_deployment("b", 7), Phase.STARTING),
        view("4", of_deployment("c", 7), Phase.DRAINING),
        view("5", of_deployment("d", 8), Phase.READY),
        view("6", "e", Phase.READY),
        view("7", of_training("f"), Phase.READY),
    ]
    found = seen(7, views, [of_deployment("x", 7), of_deployment("y", 8), "z"])
    assert found == Sight(
        ready={"a": LATER}, counts={"a": 2}, starting=frozenset("b"), failing=frozenset("x")
    )
    assert [deployment_of(each) for each in ("e", of_training("f"), of_deployment("a", 7))] == [None, None, 7]
