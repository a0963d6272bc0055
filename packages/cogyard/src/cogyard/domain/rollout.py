"""How one release of a deployment follows another: the old one serves until the new one can. Pure.

A rollout waits for those versions of the current release that have no ready instance, as long as another version of the
deployment has one. It ends when they are ready, when nothing else serves any more, or when the machine has had no
place for them beside the old ones for a while: then the old ones must make room first.
"""

from __future__ import annotations

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
    alive: frozenset[str] = frozenset()
    """Versions that have an instance which is ready or gets ready."""
    failing: frozenset[str] = frozenset()
    """Versions whose instances could not start lately."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """A release that is waited for; `awaited` says since when a version has been without an instance and a reason."""

    release: int
    awaited: Mapping[str, datetime]


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
        alive=frozenset(version_of(view.deployable) for view in mine if view.phase is not Phase.DRAINING),
        failing=frozenset(version_of(each) for each in failing if deployment_of(each) == deployment_id),
    )


def begun(release: int, configuration: Configuration, sight: Sight, now: datetime) -> Rollout | None:
    """Return the rollout that a new release begins; None when nothing serves, or nothing has to be waited for."""
    awaited = dict.fromkeys(_versions(configuration) - sight.ready.keys(), now)
    return Rollout(release=release, awaited=awaited) if awaited and sight.ready else None


def after(rollout: Rollout, sight: Sight, now: datetime) -> Rollout | None:
    """Return what is left to wait for; None when the rollout is over."""
    if not sight.ready:
        return None
    awaited = {
        # One that is being started, or waits for its next try, is not without a reason.
        version: now if version in sight.alive | sight.failing else since
        for version, since in rollout.awaited.items()
        if version not in sight.ready
    }
    left = {version: since for version, since in awaited.items() if now - since < PATIENCE}
    return replace(rollout, awaited=left) if left else None


def serving(rollout: Rollout, configuration: Configuration, version: str, sight: Sight) -> str:
    """Return the version that serves a prediction for which `version` was chosen."""
    if version not in rollout.awaited:
        return version
    others = {each: since for each, since in sight.ready.items() if each in _versions(configuration)}
    others = others or dict(sight.ready)
    return max(others, key=lambda each: (others[each], each), default=version)


def scales(rollout: Rollout, configuration: Configuration, sight: Sight, scale: Scale) -> Mapping[str, Scale]:
    """Return how versions scale meanwhile: what is awaited is started unasked, what serves is kept."""
    kept = replace(scale, min_instances=max(scale.min_instances, 1))
    serve = {serving(rollout, configuration, version, sight) for version in rollout.awaited}
    return dict.fromkeys({*rollout.awaited, *serve}, kept)


def _versions(configuration: Configuration) -> set[str]:
    split = configuration.split
    return {configuration.version} if split is None else {configuration.version, split.version}
