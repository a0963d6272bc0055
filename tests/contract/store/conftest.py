"""Each store twice: in memory, and over a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cogyard.domain.values import Account
from cogyard.features.accounts.ports import Accounts, NewAccount
from cogyard.features.collections.ports import Store as CollectionStores
from cogyard.features.deployments.ports import Store as DeploymentStores
from cogyard.features.examples.ports import ExampleStore
from cogyard.features.files.ports import FileStore
from cogyard.features.limits.ports import LimitStore
from cogyard.features.models.ports import ModelStore
from cogyard.features.organizations.ports import Store as OrganizationStores
from cogyard.features.predictions.ports import Store
from cogyard.features.retention.ports import RetentionStore
from cogyard.features.versions.ports import RemovalStore, VersionStore
from cogyard.features.webhooks.ports import EndpointStore
from cogyard.store.accounts import SqlAccounts
from cogyard.store.collections import SqlCollections
from cogyard.store.deployments import SqlDeployments
from cogyard.store.endpoints import SqlEndpoints
from cogyard.store.examples import SqlExamples
from cogyard.store.files import SqlFiles
from cogyard.store.limits import SqlLimits
from cogyard.store.models import SqlModels
from cogyard.store.organizations import SqlOrganizations
from cogyard.store.predictions import SqlPredictions
from cogyard.store.removing import SqlRemovals
from cogyard.store.retention import SqlRetention
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.collections import MemoryCollections
from cogyard.testing.database import open_database
from cogyard.testing.deployments import MemoryDeployments
from cogyard.testing.endpoints import MemoryEndpoints
from cogyard.testing.examples import MemoryExamples
from cogyard.testing.files import MemoryFiles
from cogyard.testing.limits import MemoryLimits
from cogyard.testing.models import MemoryModels
from cogyard.testing.organizations import MemoryOrganizations
from cogyard.testing.predictions import MemoryPredictions
from cogyard.testing.retention import MemoryRetention

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, UTC)


@dataclass(frozen=True, kw_only=True)
class Stores:
    """All stores of one platform."""

    accounts: Accounts
    models: ModelStore
    versions: VersionStore
    files: FileStore
    predictions: Store
    examples: ExampleStore
    deployments: DeploymentStores
    collections: CollectionStores
    endpoints: EndpointStore
    retention: RetentionStore
    limits: LimitStore
    organizations: OrganizationStores
    removals: RemovalStore

    async def account(self, username: str, *, is_admin: bool = False) -> Account:
        """Make an account."""
        return await self.accounts.add(_new(username, "user", is_admin=is_admin))

    async def organization(self, username: str, owner: Account) -> Account:
        """Make an organization."""
        return await self.organizations.found(_new(username, "organization"), owner.id)


def _new(username: str, type: str, *, is_admin: bool = False) -> NewAccount:
    return NewAccount(
        username=username, name=username, type=type, is_admin=is_admin, password_hash=None, created_at=NOW
    )


@pytest.fixture(params=["memory", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Return empty stores."""
    if request.param == "memory":
        accounts = MemoryAccounts()
        models = MemoryModels(accounts)
        predictions = accounts.predictions = MemoryPredictions()
        models.predictions = predictions.predictions
        examples, deployments = MemoryExamples(predictions), MemoryDeployments(models, predictions)
        yield Stores(
            accounts=accounts,
            models=models,
            versions=models,
            files=MemoryFiles(),
            predictions=predictions,
            examples=examples,
            deployments=deployments,
            collections=MemoryCollections(models),
            endpoints=MemoryEndpoints(predictions),
            retention=MemoryRetention(models, deployments, predictions, examples),
            limits=MemoryLimits(models, predictions),
            organizations=MemoryOrganizations(accounts),
            removals=models,
        )
        return
    with open_database(tmp_path / "cogyard.db") as database:
        kept = SqlModels(database)
        yield Stores(
            accounts=SqlAccounts(database),
            models=kept,
            versions=kept,
            files=SqlFiles(database),
            predictions=SqlPredictions(database),
            examples=SqlExamples(database),
            deployments=SqlDeployments(database),
            collections=SqlCollections(database),
            endpoints=SqlEndpoints(database),
            retention=SqlRetention(database),
            limits=SqlLimits(database),
            organizations=SqlOrganizations(database),
            removals=SqlRemovals(database),
        )
