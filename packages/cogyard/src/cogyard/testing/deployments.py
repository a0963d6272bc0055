"""Deployments in memory, for tests without a database."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from cogyard.domain.deployments import Configuration, Deployment, Release
from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Account
from cogyard.features.deployments.ports import (
    DeploymentExistsError,
    DeploymentInUseError,
    NewDeployment,
    Next,
    VersionGoneError,
)
from cogyard.features.models.policy import may_see
from cogyard.testing.models import MemoryModels
from cogyard.testing.paging import sliced
from cogyard.testing.predictions import MemoryPredictions


@dataclass
class MemoryDeployments:
    """Keeps the promises of `cogyard.features.deployments.ports.Store`; nothing survives it."""

    models: MemoryModels
    predictions: MemoryPredictions
    deployments: dict[int, Deployment] = field(default_factory=dict)
    kept_releases: dict[tuple[int, int], Release] = field(default_factory=dict)
    last_served: dict[int, int] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Let the models know what is deployed."""
        self.models.deployed = self.models.accounts.deployed = self.deployments

    async def add(self, new: NewDeployment) -> Deployment:
        """Keep a new deployment as its release 1."""
        owner = await self._account(new.owner_id)
        if await self.get(owner.username, new.name) is not None:
            raise DeploymentExistsError(new.name)
        model = self.models.models[new.model_id]
        self._require_versions(model.id, new.configuration.versions)
        made = Deployment(
            id=next(self._count),
            owner=owner.username,
            name=new.name,
            model=model.path,
            created_at=new.created_at,
            release=await self._made(1, new.configuration, new.created_at, new.created_by),
        )
        self._keep(made)
        return made

    async def get(self, owner: str, name: str) -> Deployment | None:
        """Return a deployment with its current release."""
        path = f"{owner}/{name}".lower()
        return next((each for each in self.deployments.values() if each.path.lower() == path), None)

    async def list(self, owner_id: int, window: Window) -> Slice[Deployment]:
        """Return an owner's deployments, newest first."""
        owner = await self._account(owner_id)
        found = [each for each in self.deployments.values() if each.owner == owner.username]
        return sliced(found, window, lambda each: (each.id,))

    async def delete(self, deployment_id: int) -> bool:
        """Delete a deployment that nothing waits for."""
        if await self.predictions.of_deployment(deployment_id):
            raise DeploymentInUseError
        return self.deployments.pop(deployment_id, None) is not None

    async def release(self, deployment_id: int, decide: Next, *, now: datetime, by: int) -> Deployment | None:
        """Read the current release, decide, and make the next one."""
        before = self.deployments.get(deployment_id)
        if before is None:
            return None
        configuration = decide(before.release)
        if configuration is not None:
            model = await self.models.get(*before.model.split("/"))
            fresh = configuration.versions - before.release.configuration.versions
            self._require_versions(0 if model is None else model.id, fresh)
            made = await self._made(before.release.number + 1, configuration, now, by)
            self._keep(replace(before, release=made))
        return self.deployments[deployment_id]

    async def releases(self, deployment_id: int, window: Window) -> Slice[Release]:
        """Return a deployment's releases, newest first."""
        found = [each for key, each in self.kept_releases.items() if key[0] == deployment_id]
        return sliced(found, window, lambda each: (each.number,))

    async def numbered(self, deployment_id: int, number: int) -> Release | None:
        """Return the release of that number."""
        return self.kept_releases.get((deployment_id, number))

    async def current(self) -> tuple[Deployment, ...]:
        """Return every deployment."""
        return tuple(self.deployments.values())

    async def serving(self) -> tuple[Deployment, ...]:
        """Return every deployment whose owner may still run its model."""
        found = []
        for deployment in self.deployments.values():
            owner = await self.models.accounts.by_username(deployment.owner)
            model = await self.models.get(*deployment.model.split("/"))
            if owner is not None and model is not None and may_see(owner, model):
                found.append(deployment)
        return tuple(found)

    async def unserved(self) -> tuple[tuple[Deployment, Configuration], ...]:
        """Return the deployments whose current release does not serve yet."""
        found = []
        for deployment in self.deployments.values():
            model = await self.models.get(*deployment.model.split("/"))
            served = self.kept_releases[deployment.id, self.last_served.get(deployment.id, 1)]
            there = all(
                (0 if model is None else model.id, version) in self.models.kept_versions
                for version in served.configuration.versions
            )
            if served.number < deployment.release.number and there:
                found.append((deployment, served.configuration))
        return tuple(found)

    async def served(self, deployment_id: int, number: int) -> None:
        """Keep that this release serves."""
        if deployment_id in self.deployments:
            self.last_served[deployment_id] = max(number, self.last_served.get(deployment_id, 1))

    def _require_versions(self, model_id: int, versions: Iterable[str]) -> None:
        for version in sorted(versions):
            if (model_id, version) not in self.models.kept_versions:
                raise VersionGoneError(version)

    def _keep(self, deployment: Deployment) -> None:
        self.deployments[deployment.id] = deployment
        self.kept_releases[deployment.id, deployment.release.number] = deployment.release

    async def _made(self, number: int, wanted: Configuration, now: datetime, by: int) -> Release:
        return Release(
            number=number, configuration=wanted, created_at=now, created_by=await self._account(by)
        )

    async def _account(self, account_id: int) -> Account:
        found = await self.models.accounts.by_id(account_id)
        if found is None:
            raise KeyError(account_id)
        return found
