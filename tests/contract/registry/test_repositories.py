"""The in-memory and the SQL repositories keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cogyard.registry.ports import Repositories
from cogyard.store.registry import SqlRepositories
from cogyard.testing.database import open_database
from cogyard.testing.registry import MemoryRepositories
from cogyard.testing.repositories import RepositoriesContract

pytestmark = pytest.mark.anyio


class TestMemoryRepositories(RepositoriesContract):
    @pytest.fixture
    def repositories(self) -> Repositories:
        """Make the fake."""
        return MemoryRepositories()


class TestSqlRepositories(RepositoriesContract):
    @pytest.fixture
    def repositories(self, tmp_path: Path) -> Iterator[Repositories]:
        """Make a database."""
        with open_database(tmp_path / "platform.db") as database:
            yield SqlRepositories(database)
