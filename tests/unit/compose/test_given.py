"""Images of deleted versions are taken back from an engine, and no others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from cogyard.compose.given import GivenImages
from cogyard.domain.deployables import of_training
from cogyard.domain.values import Version, Visibility
from cogyard.engine import EngineError
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.models.ports import NewModel
from cogyard.instances.quiet import Quiet
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.models import MemoryModels

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 26, tzinfo=UTC)
KEPT, GONE, RUNNING = ("a" * 64, "b" * 64, "c" * 64)


@dataclass
class Engine:
    """An engine that has images."""

    has: set[str] = field(default_factory=lambda: {KEPT, GONE, RUNNING})
    lasting: frozenset[str] = frozenset()
    fails: bool = False

    def given(self) -> frozenset[str]:
        """Return them."""
        if self.fails:
            raise EngineError("it does not answer")
        return frozenset(self.has)

    def take_back(self, version: str) -> bool:
        """Remove one that no container has."""
        if version in self.lasting:
            return False
        self.has.discard(version)
        return True


@dataclass
class Scene:
    """A platform with one version, and an instance of one that was deleted."""

    engine: Engine = field(default_factory=Engine)
    models: MemoryModels = field(default_factory=lambda: MemoryModels(MemoryAccounts()))
    quiet: Quiet = field(default_factory=Quiet)
    runs: list[str] = field(default_factory=lambda: [of_training(RUNNING)])

    @property
    def images(self) -> GivenImages:
        """What takes back."""
        return GivenImages(
            images=self.engine, versions=self.models, quiet=self.quiet, running=lambda: self.runs
        )


@pytest.fixture
async def scene() -> Scene:
    """Make the version."""
    made = Scene()
    account = await made.models.accounts.add(
        NewAccount(username="ann", name="A", type="user", is_admin=False, password_hash=None, created_at=NOW)
    )
    model = await made.models.add(
        NewModel(owner_id=account.id, name="m", visibility=Visibility.PRIVATE, hardware="cpu", created_at=NOW)
    )
    version = Version(id=KEPT, model=model.path, created_at=NOW, cog_version="0", openapi_schema={})
    await made.models.add_version(model.id, version)
    return made


async def test_what_was_deleted_is_taken_back_once_nothing_runs(scene: Scene) -> None:
    """A training counts as its version does; a version that there is stays."""
    assert await scene.images.sweep() == 1
    assert scene.engine.has == {KEPT, RUNNING}
    scene.runs.clear()
    assert await scene.images.sweep() == 1
    assert scene.engine.has == {KEPT}
    assert await scene.images.sweep() == 0


async def test_nothing_is_taken_back_while_something_is_prepared(scene: Scene) -> None:
    """It may be the very image, pushed again, which the engine was just found to have."""
    async with scene.quiet.preparing():
        assert await scene.images.sweep() == 0
    assert scene.engine.has == {KEPT, GONE, RUNNING}
    assert await scene.images.sweep() == 1


async def test_an_engine_that_refuses_or_does_not_answer_is_asked_again_later(scene: Scene) -> None:
    """What could not be removed is not counted, and nothing is raised."""
    scene.engine.lasting = frozenset({GONE})
    assert await scene.images.sweep() == 0
    scene.engine.fails = True
    assert await scene.images.sweep() == 0
