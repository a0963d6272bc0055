"""Retention as callers set it: of their account, of models and deployments they may change."""

from __future__ import annotations

from dataclasses import dataclass

from cogyard.domain.retention import FOREVER, Keep, Scope
from cogyard.domain.values import Account
from cogyard.features.deployments.service import Deployments
from cogyard.features.models import policy
from cogyard.features.models.service import Models
from cogyard.features.retention.ports import Place, RetentionSettings
from cogyard.http.errors import ForbiddenError, NotFoundError


@dataclass(frozen=True, kw_only=True, slots=True)
class Retained:
    """What was set, if anything, and what holds where nothing is."""

    own: Keep | None
    platform: Keep


@dataclass(frozen=True, kw_only=True)
class Retention:
    """A setting is seen and made by whoever may change what it is about. `platform` holds where none is set."""

    store: RetentionSettings
    models: Models
    deployments: Deployments
    platform: Keep = FOREVER

    async def of_account(self, caller: Account) -> Retained:
        """Return the caller's own setting."""
        return await self._seen(Place(scope=Scope.ACCOUNT, id=caller.id))

    async def set_of_account(self, caller: Account, keep: Keep | None) -> Retained:
        """Set it; None is as the platform has it."""
        return await self._made(Place(scope=Scope.ACCOUNT, id=caller.id), keep)

    async def of_model(self, caller: Account, owner: str, name: str) -> Retained:
        """Return a model's setting. Raises NotFoundError, ForbiddenError."""
        return await self._seen(await self._model(caller, owner, name))

    async def set_of_model(self, caller: Account, owner: str, name: str, keep: Keep | None) -> Retained:
        """Set it; None is as the account of each prediction has it. Raises NotFoundError, ForbiddenError."""
        return await self._made(await self._model(caller, owner, name), keep)

    async def of_deployment(self, caller: Account, owner: str, name: str) -> Retained:
        """Return a deployment's setting. Raises NotFoundError, ForbiddenError."""
        return await self._seen(await self._deployment(caller, owner, name))

    async def set_of_deployment(self, caller: Account, owner: str, name: str, keep: Keep | None) -> Retained:
        """Set it; None is as its model has it. Raises NotFoundError, ForbiddenError."""
        return await self._made(await self._deployment(caller, owner, name), keep)

    async def _model(self, caller: Account, owner: str, name: str) -> Place:
        model = await self.models.get(caller, owner, name)
        if not policy.may_change(caller, model):
            raise ForbiddenError(
                f"Only who may change {model.path} may see and set how long its data is kept."
            )
        return Place(scope=Scope.MODEL, id=model.id)

    async def _deployment(self, caller: Account, owner: str, name: str) -> Place:
        return Place(scope=Scope.DEPLOYMENT, id=(await self.deployments.changeable(caller, owner, name)).id)

    async def _made(self, place: Place, keep: Keep | None) -> Retained:
        if not await self.store.set(place, keep):
            raise NotFoundError
        return await self._seen(place)

    async def _seen(self, place: Place) -> Retained:
        setting = (await self.store.settings()).get(place.scope, {}).get(place.id)
        return Retained(own=None if setting is None else setting.keep, platform=self.platform)
