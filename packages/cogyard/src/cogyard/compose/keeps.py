"""Retention settings as an operator sees them at the data folder: by names, whoever's they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cogyard.compose.administration import NeverStartedError
from cogyard.compose.datadir import DataDir
from cogyard.compose.upgrade import open_beside
from cogyard.domain.names import split_model
from cogyard.domain.retention import Keep, Scope
from cogyard.features.retention.ports import Place
from cogyard.store.accounts import SqlAccounts
from cogyard.store.database import Database
from cogyard.store.deployments import SqlDeployments
from cogyard.store.models import SqlModels
from cogyard.store.retention import SqlRetention


@dataclass(frozen=True, slots=True)
class Keeps:
    """Settings by the names of what they are about."""

    database: Database

    async def all(self) -> list[tuple[Scope, str, Keep]]:
        """Return everything that was set: of what, its name, how long."""
        store = SqlRetention(self.database)
        made, names = await store.settings(), await store.names()
        return [
            (scope, names[scope][id_], setting.keep)
            for scope, found in made.items()
            for id_, setting in sorted(found.items(), key=lambda item: names[scope][item[0]])
        ]

    async def set(self, scope: Scope, name: str, keep: Keep | None) -> bool:
        """Keep a setting, or none; False when there is nothing of that name."""
        id_ = await self._id(scope, name)
        return id_ is not None and await SqlRetention(self.database).set(Place(scope=scope, id=id_), keep)

    async def _id(self, scope: Scope, name: str) -> int | None:
        if scope is Scope.ACCOUNT:
            account = await SqlAccounts(self.database).by_username(name)
            return None if account is None else account.id
        parts = split_model(name)
        if parts is None:
            return None
        store = SqlModels(self.database) if scope is Scope.MODEL else SqlDeployments(self.database)
        found = await store.get(*parts)
        return None if found is None else found.id


@contextmanager
def keeps_in(folder: DataDir) -> Iterator[Keeps]:
    """Open the settings of a data folder. Raises NeverStartedError and the store's errors."""
    if not folder.exists():
        raise NeverStartedError(folder)
    with open_beside(folder) as database:
        yield Keeps(database)
