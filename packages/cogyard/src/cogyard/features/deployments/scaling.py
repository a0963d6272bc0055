"""How deployments' instances scale, for the controller; structurally its `Scales`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from cogyard.domain.autoscale import Scale
from cogyard.domain.deployments import scales_of
from cogyard.features.deployments.ports import ReleaseStore


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentScales:
    """Reads the current releases each time: there are few, and a change must count at once."""

    store: ReleaseStore
    idle_timeout: timedelta

    async def scales(self) -> Mapping[str, Scale]:
        """Return how what deployments run grows and shrinks."""
        return scales_of(await self.store.current(), self.idle_timeout)
