"""Retention in memory, over the other stores in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from cogyard.domain.retention import Keep, Scope, Setting, Subject
from cogyard.features.retention.ports import Held, Place
from cogyard.testing.deployments import MemoryDeployments
from cogyard.testing.examples import MemoryExamples
from cogyard.testing.models import MemoryModels
from cogyard.testing.predictions import MemoryPredictions


@dataclass
class MemoryRetention:
    """Keeps the promises of `cogyard.features.retention.ports.RetentionStore`; nothing survives it."""

    models: MemoryModels
    deployments: MemoryDeployments
    predictions: MemoryPredictions
    examples: MemoryExamples
    made: dict[Place, Setting] = field(default_factory=dict)

    async def settings(self) -> Mapping[Scope, Mapping[int, Setting]]:
        """Return everything that was set."""
        found: dict[Scope, dict[int, Setting]] = {}
        for place, setting in self.made.items():
            if await self._owner(place) is not None:
                found.setdefault(place.scope, {})[place.id] = setting
        return found

    async def set(self, place: Place, keep: Keep | None) -> bool:
        """Keep a setting, or none."""
        owner = await self._owner(place)
        if owner is None:
            return False
        self.made.pop(place, None)
        if keep is not None:
            self.made[place] = Setting(keep, owner)
        return True

    async def held(self, place: Place | None, *, after: str, before: str, limit: int) -> Sequence[Held]:
        """Return predictions that hold data, in the order of their ids."""
        shown = {id_ for _, id_ in self.examples.kept}
        found = [
            self._held(id_)
            for id_, each in sorted(self.predictions.predictions.items())
            if after < id_ < before and not each.data_removed and id_ not in shown
        ]
        return [each for each in found if _is_at(each.subject, place)][:limit]

    async def remove_data(self, ids: Sequence[str], now: datetime) -> int:
        """Remove what ended predictions hold."""
        del now
        kept = self.predictions.predictions
        due = [id_ for id_ in ids if kept[id_].completed_at is not None and not kept[id_].data_removed]
        for id_ in due:
            kept[id_] = replace(
                kept[id_], input={}, secret_inputs=(), output=None, logs="", data_removed=True
            )
            self.predictions.streams.pop(id_, None)
        return len(due)

    def _held(self, id_: str) -> Held:
        each = self.predictions.predictions[id_]
        model = next((key for key, model in self.models.models.items() if model.path == each.model), None)
        subject = Subject(account_id=each.account_id, model_id=model, deployment_id=each.deployment_id)
        return Held(id=id_, subject=subject, completed_at=each.completed_at)

    async def _owner(self, place: Place) -> int | None:
        if place.scope is Scope.ACCOUNT:
            account = await self.models.accounts.by_id(place.id)
        else:
            things = self.models.models if place.scope is Scope.MODEL else self.deployments.deployments
            thing = things.get(place.id)
            account = None if thing is None else await self.models.accounts.by_username(thing.owner)
        return None if account is None else account.id


def _is_at(subject: Subject, place: Place | None) -> bool:
    if place is None:
        return True
    ids = {
        Scope.ACCOUNT: subject.account_id,
        Scope.MODEL: subject.model_id,
        Scope.DEPLOYMENT: subject.deployment_id,
    }
    return ids[place.scope] == place.id
