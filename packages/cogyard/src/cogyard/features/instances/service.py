"""How instances of a version fare, for whoever may change its model: setup logs may hold what an author hides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cogyard.domain.deployables import deployment_of, of_deployment, of_training, version_of
from cogyard.domain.deployments import Deployment
from cogyard.domain.values import Account, Version
from cogyard.domain.waiting import Reason
from cogyard.features.deployments import policy as deployments
from cogyard.features.instances.ports import Living, NobodyThere, Present, Records
from cogyard.features.models import policy
from cogyard.features.versions.service import Versions
from cogyard.http.errors import NotFoundError


@dataclass(frozen=True, kw_only=True, slots=True)
class Fared:
    """How the instances of one deployable fare; `purpose` says in a word what they are for."""

    purpose: str
    version: str
    living: Sequence[Living] = ()
    ended: Sequence[Mapping[str, Any]] = ()
    trouble: Reason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceRecords:
    """Reads what the fleet wrote down, and what lives in it."""

    versions: Versions
    records: Records
    present: Present = field(default_factory=NobodyThere)

    async def list(self, caller: Account, owner: str, name: str, id: str) -> Sequence[Mapping[str, Any]]:
        """Return how a version's last instances ended, newest first. Raises NotFoundError."""
        version = await self._changeable(caller, owner, name, id)
        return await asyncio.to_thread(self.records.of, version.id)

    async def of_version(
        self, caller: Account, owner: str, name: str, id: str, *, ended: bool = True
    ) -> tuple[Fared, ...]:
        """Return how a version's instances fare: those for whoever asks, and those that train.

        Without `ended` only what lives is looked up, which costs nothing. Raises NotFoundError.
        """
        version = await self._changeable(caller, owner, name, id)
        return (
            await self._fared("predictions", version.id, version.id, ended=ended),
            await self._fared("trainings", version.id, of_training(version.id), ended=ended),
        )

    async def of_deployment(
        self, caller: Account, deployment: Deployment, *, ended: bool = True
    ) -> tuple[Fared, ...]:
        """Return how a deployment's instances fare, by version: of its release, and of past ones that still live.

        Setup logs are the model's owner's; whoever only deploys it sees states and reasons. Raises NotFoundError.
        """
        if not deployments.may_see(caller, deployment):
            raise NotFoundError
        wanted = deployment.release.configuration
        past = [
            version_of(name) for name in self.present.deployables() if deployment_of(name) == deployment.id
        ]
        now = [wanted.version] if wanted.split is None else [wanted.version, wanted.split.version]
        ids = [*now, *sorted(set(past) - set(now))]
        found = [
            await self._fared("predictions", id_, of_deployment(id_, deployment.id), ended=ended)
            for id_ in ids
        ]
        return tuple(found if await self._sees_logs(caller, deployment) else map(_without_logs, found))

    async def _fared(self, purpose: str, version: str, deployable: str, *, ended: bool) -> Fared:
        return Fared(
            purpose=purpose,
            version=version,
            living=self.present.living(deployable),
            ended=await asyncio.to_thread(self.records.of, deployable) if ended else (),
            trouble=self.present.trouble(deployable),
        )

    async def _changeable(self, caller: Account, owner: str, name: str, id: str) -> Version:
        version = await self.versions.get(caller, owner, name, id)
        model = await self.versions.models.get(caller, owner, name)
        if not policy.may_change(caller, model):
            raise NotFoundError
        return version

    async def _sees_logs(self, caller: Account, deployment: Deployment) -> bool:
        try:
            model = await self.versions.models.get(caller, *deployment.model.split("/", 1))
        except NotFoundError:
            return False
        return policy.may_change(caller, model)


def _without_logs(fared: Fared) -> Fared:
    return replace(
        fared,
        living=[replace(one, setup_logs="") for one in fared.living],
        ended=[{key: value for key, value in one.items() if key != "setup_logs"} for one in fared.ended],
    )
