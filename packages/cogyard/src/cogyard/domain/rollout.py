"""How one release of a deployment follows another: the old one serves until the new one can. Pure.

A rollout waits for those versions of the current release that cannot take over yet, as long as another version of the
deployment has a ready instance. One can take over with as many ready instances as what it takes over from has, or with
all that could be started. The rollout ends when all can, when nothing else serves any more, or when the machine has
had no place for them beside the old ones for a while: then the old ones must make room first.

After a restart nothing is ready. A rollout that was under way goes on with what served before it as its `fallback`:
that is started again and serves, whatever becomes of the new release.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cogyard.domain.autoscale import InstanceView, Phase, Scale
from cogyard.domain.deployables import deployment_of, version_of
from cogyard.domain.deployments import Configuration

#: How long a version may be without an instance, and without a reason why, before the old ones make room for it.
PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What there is of one deployment's instances, by version."""

    ready: Mapping[str, datetime] = field(default_factory=dict)
    """Versions that have a ready instance, with when the latest became ready."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many ready instances each of them has."""
    starting: frozenset[str] = frozenset()
    """Versions that have an instance which gets ready."""
    failing: frozenset[str] = frozenset()
    """Versions whose instances could not start lately."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """A release that is waited for; `awaited` says since when a version has been without an instance and a reason."""

    release: int
    awaited: Mapping[str, datetime]
    fallback: frozenset[str] = frozenset()
    """Versions that served before, and serve although none is ready: they were when the platform ended."""


def seen(deployment_id: int, views: Sequence[InstanceView], failing: Sequence[str]) -> Sight:
    """Return what there is of a deployment among all instances and all that fails."""
    mine = [view for view in views if deployment_of(view.deployable) == deployment_id]
    ready: dict[str, datetime] = {}
    for view in mine:
        if view.phase is Phase.READY:
            version = version_of(view.deployable)
            ready[version] = max(view.since, ready.get(version, view.since))
    return Sight(
        ready=ready,
        counts=Counter(version_of(view.deployable) for view in mine if view.phase is Phase.READY),
        starting=frozenset(version_of(view.deployable) for view in mine if view.phase is Phase.STARTING),
        failing=frozenset(version_of(each) for each in failing if deployment_of(each) == deployment_id),
    )


def begun(
    release: int,
    configuration: Configuration,
    sight: Sight,
    now: datetime,
    fallback: frozenset[str] = frozenset(),
) -> Rollout | None:
    """Return the rollout that a new release begins; None when nothing serves, or nothing has to be waited for.

    `fallback` is what served when the platform ended in the middle of one.
    """
    wanted = _versions(configuration)
    others = fallback - wanted
    awaited = {version: now for version in wanted if not _can_take_over(version, configuration, sight)}
    if not awaited or not (sight.ready or others):
        return None
    return Rollout(release=release, awaited=awaited, fallback=others)


def after(rollout: Rollout, configuration: Configuration, sight: Sight, now: datetime) -> Rollout | None:
    """Return what is left to wait for; None when the rollout is over."""
    if not sight.ready and not rollout.fallback:
        return None
    awaited = {
        # One that is being started, or waits for its next try, is not without a reason.
        version: now if version in sight.ready or version in sight.starting | sight.failing else since
        for version, since in rollout.awaited.items()
        if not _can_take_over(version, configuration, sight)
    }
    left = {version: since for version, since in awaited.items() if now - since < PATIENCE}
    return replace(rollout, awaited=left) if left else None


def serving(rollout: Rollout, configuration: Configuration, version: str, sight: Sight) -> str:
    """Return the version that serves a prediction for which `version` was chosen."""
    if version not in rollout.awaited:
        return version
    able = (_versions(configuration) - rollout.awaited.keys()) & sight.ready.keys()
    old = sight.ready.keys() - _versions(configuration)
    others = {each: sight.ready[each] for each in able or old or sight.ready.keys()}
    # What gets ready is no help yet; what served before will be ready first, or is all that will ever be.
    instead = max(rollout.fallback, default=version)
    return max(others, key=lambda each: (others[each], each), default=instead)


def scales(rollout: Rollout, configuration: Configuration, sight: Sight, scale: Scale) -> Mapping[str, Scale]:
    """Return how versions scale meanwhile: what is awaited is started unasked, what serves is kept."""
    serve = {serving(rollout, configuration, version, sight) for version in rollout.awaited}
    kept = dict.fromkeys(serve, replace(scale, min_instances=max(scale.min_instances, 1)))
    for version in rollout.awaited:
        kept[version] = replace(scale, min_instances=_enough(version, configuration, sight))
    return kept


def _enough(version: str, configuration: Configuration, sight: Sight) -> int:
    """Return how many ready instances a version needs to take over from what serves."""
    serving_now = max((count for each, count in sight.counts.items() if each != version), default=0)
    return max(1, configuration.min_instances, min(configuration.max_instances, serving_now))


def _can_take_over(version: str, configuration: Configuration, sight: Sight) -> bool:
    # With fewer, and nothing on its way: the machine has no place for more, or they fail. It is no worse with these.
    count = sight.counts.get(version, 0)
    return count >= _enough(version, configuration, sight) or (count > 0 and version not in sight.starting)


def _versions(configuration: Configuration) -> set[str]:
    split = configuration.split
    return {configuration.version} if split is None else {configuration.version, split.version}
