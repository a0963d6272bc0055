"""Models and their versions in memory, for tests without a database."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cogyard.domain.deployments import Deployment
from cogyard.domain.paging import Key, Slice, Window
from cogyard.domain.search import spaced
from cogyard.domain.values import (
    Kind,
    Model,
    Prediction,
    Status,
    Version,
    Visibility,
)
from cogyard.features.models.policy import may_see
from cogyard.features.models.ports import (
    DeploymentsLeftError,
    ModelExistsError,
    NewModel,
    Order,
    VersionsLeftError,
)
from cogyard.features.versions.policy import Uses
from cogyard.features.versions.ports import Removal, VersionInUseError, WhyKept
from cogyard.store.times import stored
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.paging import sliced


def _has(model: Model, word: str) -> bool:
    # As a phrase of its own parts, of which the last may be the beginning of a word.
    text = " ".join(re.findall(r"\w+", spaced(f"{model.path} {model.description} {model.readme}").lower()))
    parts = re.findall(r"\w+", spaced(word))
    return bool(parts) and " " + " ".join(parts) in " " + text


@dataclass
class MemoryModels:
    """Keeps the promises of the models' and the versions' stores."""

    accounts: MemoryAccounts
    models: dict[int, Model] = field(default_factory=dict)
    kept_versions: dict[tuple[int, str], Version] = field(default_factory=dict)
    deployed: dict[int, Deployment] = field(default_factory=dict)
    predictions: dict[str, Prediction] = field(default_factory=dict)
    """What was run of versions; a test shares it with the predictions' store."""
    noted: dict[int, tuple[Removal, frozenset[str]]] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Let the accounts know what they own."""
        self.accounts.models = self.models

    async def add(self, model: NewModel) -> Model:
        """Keep a new model. Raises ModelExistsError."""
        owner = await self.accounts.by_id(model.owner_id)
        if owner is None or await self.get(owner.username, model.name) is not None:
            raise ModelExistsError(model.name)
        made = Model(
            id=next(self._count),
            owner=owner.username,
            name=model.name,
            visibility=model.visibility,
            created_at=model.created_at,
            description=model.description,
            hardware=model.hardware,
            github_url=model.github_url,
            paper_url=model.paper_url,
            license_url=model.license_url,
            cover_image_url=model.cover_image_url,
        )
        self.models[made.id] = made
        return made

    async def get(self, owner: str, name: str, *, private_too: bool = True) -> Model | None:
        """Return the model, or None."""
        path = f"{owner}/{name}".lower()
        found = next((model for model in self.models.values() if model.path.lower() == path), None)
        shown = found is not None and (private_too or found.visibility is Visibility.PUBLIC)
        return found if shown else None

    async def public(self, window: Window, *, order: Order, ascending: bool) -> Slice[Model]:
        """Return public models that have a version."""
        found = [m for m in self.models.values() if m.visibility is Visibility.PUBLIC and m.latest_version]

        def key(model: Model) -> Key:
            latest = self.kept_versions[model.id, str(model.latest_version)]
            made = latest.created_at if order is Order.LATEST_VERSION else model.created_at
            return (stored(made), model.id)

        return sliced(found, window, key, ascending=ascending)

    async def by_owner(self, owner: str, window: Window, *, private_too: bool) -> Slice[Model]:
        """Return an owner's models, newest first."""
        found = [
            model
            for model in self.models.values()
            if model.owner.lower() == owner.lower() and (private_too or model.visibility is Visibility.PUBLIC)
        ]
        return sliced(found, window, lambda model: (model.id,))

    async def search(
        self, words: tuple[str, ...], *, viewers: tuple[int, ...], limit: int
    ) -> tuple[Model, ...]:
        """Return models that have every word, or begin one with it; those that ran most come first."""
        seen = {each.username for each in self.accounts.accounts.values() if each.id in viewers}
        found = [
            model
            for model in self.models.values()
            if (model.visibility is Visibility.PUBLIC or model.owner in seen)
            and all(_has(model, word) for word in words)
        ]
        return tuple(sorted(found, key=lambda model: (-model.run_count, -model.id))[:limit])

    async def update(self, model_id: int, changes: Mapping[str, str | None]) -> Model | None:
        """Set fields of a model and return it."""
        model = self.models.get(model_id)
        if model is None:
            return None
        values: dict[str, Any] = dict(changes)
        if "visibility" in values:
            values["visibility"] = Visibility(values["visibility"])
        self.models[model_id] = replace(model, **values)
        return self.models[model_id]

    async def delete(self, model_id: int, *, with_versions: bool) -> bool:
        """Delete a model. Raises VersionsLeftError, DeploymentsLeftError."""
        model = self.models.get(model_id)
        mine = [] if model is None else [each for each in self.deployed.values() if each.model == model.path]
        if model is not None and any([await self._still_runs(each, model) for each in mine]):
            raise DeploymentsLeftError
        keys = [key for key in self.kept_versions if key[0] == model_id]
        if keys and not with_versions:
            raise VersionsLeftError
        for key in keys:
            del self.kept_versions[key]
        for each in mine:
            self.deployed.pop(each.id)
        return self.models.pop(model_id, None) is not None

    async def add_version(self, model_id: int, version: Version) -> bool:
        """Keep a version and make it the latest; False when the model has it already."""
        if (model_id, version.id) in self.kept_versions:
            return False
        self.kept_versions[model_id, version.id] = version
        self.models[model_id] = replace(self.models[model_id], latest_version=version.id)
        return True

    async def version(self, model_id: int, version_id: str) -> Version | None:
        """Return a model's version, or None."""
        return self.kept_versions.get((model_id, version_id))

    async def versions(self, model_id: int, window: Window) -> Slice[Version]:
        """Return a model's versions, newest first."""
        found = [version for key, version in self.kept_versions.items() if key[0] == model_id]
        return sliced(found, window, lambda each: (stored(each.created_at), each.id))

    async def latest(self, model_ids: Sequence[int]) -> Mapping[int, Version]:
        """Return the latest versions of models, by the model's id."""
        models = [self.models[id_] for id_ in model_ids]
        return {m.id: self.kept_versions[m.id, m.latest_version] for m in models if m.latest_version}

    async def with_id(self, version_id: str) -> tuple[tuple[Model, Version], ...]:
        """Return every model that has this version, oldest first."""
        found = [
            (self.models[key[0]], each) for key, each in self.kept_versions.items() if key[1] == version_id
        ]
        return tuple(sorted(found, key=lambda pair: (pair[1].created_at, pair[0].id)))

    async def delete_version(self, model_id: int, version_id: str, why_kept: WhyKept, now: datetime) -> bool:
        """Delete a version; the newest that remains is the latest."""
        del now
        if (model_id, version_id) not in self.kept_versions:
            return False
        if reason := why_kept(await self._uses(model_id, version_id)):
            raise VersionInUseError(reason)
        del self.kept_versions[model_id, version_id]
        left = (await self.versions(model_id, Window(limit=1))).items
        self.models[model_id] = replace(self.models[model_id], latest_version=left[0].id if left else None)
        owner = await self.accounts.by_username(self.models[model_id].owner)
        runs = frozenset(
            id_
            for id_, each in self._runs(model_id, version_id).items()
            if owner is not None and each.account_id == owner.id
        )
        removal = Removal(rank=next(self._count), model=self.models[model_id].path, version=version_id)
        self.noted[removal.rank] = (removal, runs)
        return True

    async def removals(self) -> tuple[Removal, ...]:
        """Return what still has to be removed, the oldest first."""
        return tuple(removal for _, (removal, _) in sorted(self.noted.items()))

    async def remove_predictions(self, removal: Removal, limit: int, now: datetime) -> int:
        """Delete so many of a deleted version's predictions."""
        del now
        runs = self.noted[removal.rank][1]
        ids = sorted(runs & self.predictions.keys())[:limit]
        for id_ in ids:
            del self.predictions[id_]
        return len(ids)

    async def forget(self, removal: Removal) -> None:
        """Note that nothing of it is left."""
        self.noted.pop(removal.rank, None)

    def _runs(self, model_id: int, version_id: str) -> dict[str, Prediction]:
        path = self.models[model_id].path
        return {
            id_: each
            for id_, each in self.predictions.items()
            if each.model == path and each.version == version_id
        }

    async def _uses(self, model_id: int, version_id: str) -> Uses:
        model, runs = self.models[model_id], self._runs(model_id, version_id)
        owner = await self.accounts.by_username(model.owner)
        deployed = [
            each.path
            for each in self.deployed.values()
            if each.model == model.path
            and version_id in _deployed_by(each)
            and await self._still_runs(each, model)
        ]
        return Uses(
            public=model.visibility is Visibility.PUBLIC,
            waits=any(not each.status.terminal for each in runs.values()),
            foreign=any(owner is None or each.account_id != owner.id for each in runs.values()),
            deployment=next(iter(deployed), None),
            trained=next(
                (
                    each.destination
                    for each in runs.values()
                    if each.kind is Kind.TRAINING
                    and each.status is Status.SUCCEEDED
                    and self._has_another(str(each.destination), each.created_at, (model_id, version_id))
                ),
                None,
            ),
        )

    async def _still_runs(self, deployment: Deployment, model: Model) -> bool:
        owner = await self.accounts.by_username(deployment.owner)
        return owner is not None and may_see(owner, model)

    def _has_another(self, path: str, since: datetime, but: tuple[int, str]) -> bool:
        return any(
            self.models[key[0]].path == path and key != but and each.created_at >= since
            for key, each in self.kept_versions.items()
        )


def _deployed_by(deployment: Deployment) -> set[str | None]:
    wanted = deployment.release.configuration
    return {wanted.version, wanted.split.version if wanted.split is not None else None}
