"""Which kind of machine deployments and models ask for, read from what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cogyard.domain.deployables import is_own, is_training, of_deployment, version_of
from cogyard.features.services import Services


@dataclass(frozen=True, slots=True)
class WishedHardware:
    """Structurally `skus.Wished`; reads anew each time, so that a change counts at the next start."""

    services: Services

    async def hardware(self, deployables: Iterable[str]) -> Mapping[str, str]:
        """Return the sku of a deployment's release, or of the oldest model that has the version."""
        names = list(deployables)
        found: dict[str, str] = {}
        if any(is_own(name) and not is_training(name) for name in names):
            for deployment in await self.services.deployments.store.current():
                wanted = deployment.release.configuration
                versions = (
                    [wanted.version] if wanted.split is None else [wanted.version, wanted.split.version]
                )
                found.update({of_deployment(version, deployment.id): wanted.hardware for version in versions})
        for name in names:
            if name not in found:
                for model, _ in (await self.services.versions.store.with_id(version_of(name)))[:1]:
                    found[name] = model.hardware
        return found
