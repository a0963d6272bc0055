"""How deployments' instances scale, for the controller; structurally its `Scales`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from cogyard.domain.autoscale import Scale
from cogyard.domain.deployments import configured, scales_of
from cogyard.features.deployments.ports import ServingStore
from cogyard.features.deployments.rollouts import Rollouts


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentScales:
    """Reads the current releases each time: there are few, and a change must count at once.

    A deployment whose owner may no longer run its model keeps no instances: what waits for it runs, and no more.
    """

    store: ServingStore
    idle_timeout: timedelta
    rollouts: Rollouts = field(default_factory=Rollouts)

    async def scales(self) -> Mapping[str, Scale]:
        """Return how what deployments run grows and shrinks."""
        current = await self.store.serving()
        found = dict(scales_of(current, self.idle_timeout))
        for deployment in current:
            scale = configured(deployment.release.configuration, self.idle_timeout)
            found.update(self.rollouts.scales(deployment, scale))
        return found
