"""Rollouts: what serves a deployment while a release gets ready.

What a rollout waits for follows from the instances that there are. Kept is only which release served last: where that
is not the current one, a platform that starts goes on with the rollout between the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cogyard.domain import rollout
from cogyard.domain.autoscale import InstanceView, Scale
from cogyard.domain.deployables import of_deployment
from cogyard.domain.deployments import Configuration, Deployment
from cogyard.domain.rollout import Rollout, Sight
from cogyard.features.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a release is: versions that are waited for, and what serves meanwhile."""

    awaited: tuple[str, ...]
    serving: str
    failing: tuple[str, ...] = ()
    """Those of the awaited that could not start lately."""


@dataclass(frozen=True, slots=True)
class _Going:
    """A rollout, and what its release says."""

    rollout: Rollout
    configuration: Configuration


@dataclass(kw_only=True)
class Rollouts:
    """Hears of releases and of what the controller sees; says what serves."""

    views: Callable[[], Sequence[InstanceView]] = tuple
    """Returns every instance that lives at this moment; to be set once there is a fleet."""
    world: World = field(default_factory=World)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a release serves that did not before; see `settled`."""
    _going: dict[int, _Going] = field(default_factory=dict)
    _failing: tuple[str, ...] = ()
    _settled: dict[int, int] = field(default_factory=dict)

    def observe(self, failing: Sequence[str]) -> None:
        """Look what has changed, whenever something happens to instances; `failing` is what could not start lately."""
        self._failing = tuple(failing)
        for deployment_id, going in list(self._going.items()):
            left = rollout.after(
                going.rollout, going.configuration, self._sight(deployment_id), self.world.now()
            )
            if left is None:
                del self._going[deployment_id]
                self._settle(deployment_id, going.rollout.release)
            else:
                self._going[deployment_id] = replace(going, rollout=left)

    def released(self, deployment: Deployment) -> None:
        """Note that a deployment has a new release."""
        going = self._going.get(deployment.id)
        self._begin(deployment, frozenset() if going is None else going.rollout.fallback)

    def resumed(self, deployment: Deployment, served: Configuration) -> None:
        """Go on with a rollout that the end of the platform interrupted: `served` is what served before it."""
        self._begin(deployment, served.versions)

    def settled(self) -> Mapping[int, int]:
        """Return which release serves now of each deployment where that has changed, and forget it."""
        self.changed.clear()
        found, self._settled = self._settled, {}
        return found

    def _begin(self, deployment: Deployment, fallback: frozenset[str]) -> None:
        release = deployment.release
        begun = None
        if not deployment.disabled:
            sight, now = self._sight(deployment.id), self.world.now()
            begun = rollout.begun(release.number, release.configuration, sight, now, fallback)
        if begun is None:
            self._going.pop(deployment.id, None)
            self._settle(deployment.id, release.number)
        else:
            self._going[deployment.id] = _Going(begun, release.configuration)

    def _settle(self, deployment_id: int, release: int) -> None:
        self._settled[deployment_id] = release
        self.changed.set()

    def serving(self, deployment: Deployment, version: str) -> str:
        """Return the version that serves a prediction for which `version` was chosen."""
        going = self._of(deployment)
        if going is None:
            return version
        sight = self._sight(deployment.id)
        return rollout.serving(going, deployment.release.configuration, version, sight)

    def progress(self, deployment: Deployment) -> Progress | None:
        """Return how far the current release is; None when nothing is waited for."""
        going = self._of(deployment)
        if going is None:
            return None
        awaited = tuple(sorted(going.awaited))
        failing = self._sight(deployment.id).failing & going.awaited.keys()
        serving = self.serving(deployment, awaited[0])
        return Progress(awaited=awaited, serving=serving, failing=tuple(sorted(failing)))

    def scales(self, deployment: Deployment, scale: Scale) -> Mapping[str, Scale]:
        """Return how what is in between scales, by what its instances work for."""
        going = self._of(deployment)
        if going is None:
            return {}
        sight = self._sight(deployment.id)
        found = rollout.scales(going, deployment.release.configuration, sight, scale)
        return {of_deployment(version, deployment.id): each for version, each in found.items()}

    def _of(self, deployment: Deployment) -> Rollout | None:
        going = self._going.get(deployment.id)
        current = going is not None and going.rollout.release == deployment.release.number
        return going.rollout if going is not None and current else None

    def _sight(self, deployment_id: int) -> Sight:
        return rollout.seen(deployment_id, self.views(), self._failing)
