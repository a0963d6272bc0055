"""What was unpacked of images that are no more goes, and nothing that an instance uses or is about to use."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cogyard.compose.datadir import DataDir
from cogyard.compose.unpacked import WEIGHTS_UNUSED, Unpacked, removed
from cogyard.domain.values import Version, Visibility
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.models.ports import NewModel
from cogyard.instances.quiet import Quiet
from cogyard.store.accounts import SqlAccounts
from cogyard.store.database import Database
from cogyard.store.models import SqlModels
from cogyard.store.registry import SqlRepositories
from cogyard.testing.weights import BesideInMemory, import_weights
from cogyard.weights.artifact import Artifact, WeightFile
from cogyard.weights.files import WeightFiles

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEPT, GONE = "a" * 64, "b" * 64


def _made(*places: Path) -> None:
    for each in places:
        (each / "src").mkdir(parents=True)
        (each / "src" / "file").write_text("x")


def _weights(files: WeightFiles, content: bytes) -> Path:
    digest, size = files.add([content])
    return files.folder([WeightFile(path="w", layer=f"sha256:{KEPT}", size=size, digest=digest)])


async def test_what_no_image_needs_goes(tmp_path: Path) -> None:
    """By the registry's blobs and the versions there are; weights by when they were asked for last."""
    folder = DataDir(tmp_path)
    _made(
        *(place / f"sha256-{hex_}" for place in (folder.layers, folder.image_layers) for hex_ in (KEPT, GONE))
    )
    _made(folder.roots / KEPT, folder.roots / GONE, folder.layers / "unfinished-other")
    files = WeightFiles(folder.weights)
    fresh, stale = _weights(files, b"fresh"), _weights(files, b"stale")
    before = time.time() - WEIGHTS_UNUSED.total_seconds() - 60
    os.utime(stale, (before, before))
    with Database.open(folder.database) as database:
        repositories, models = SqlRepositories(database), SqlModels(database)
        await repositories.link_blob("ann/m", f"sha256:{KEPT}", 1)
        account = await SqlAccounts(database).add(
            NewAccount(
                username="ann", name="Ann", type="user", is_admin=False, password_hash=None, created_at=NOW
            )
        )
        model = await models.add(
            NewModel(
                owner_id=account.id, name="m", visibility=Visibility.PRIVATE, hardware="cpu", created_at=NOW
            )
        )
        version = Version(id=KEPT, model="ann/m", created_at=NOW, cog_version="0", openapi_schema={})
        await models.add_version(model.id, version)
        unpacked = Unpacked(
            folder=folder, repositories=repositories, versions=models, weights=BesideInMemory({})
        )
        aside = await unpacked.put_aside()
        assert aside is not None
        assert len(aside) == 3
        assert all(each.name.startswith("unfinished-") for each in aside)
        await removed(aside)
        assert await unpacked.put_aside() == []
    left = [sorted(each.name for each in place.iterdir()) for place in (folder.layers, folder.image_layers)]
    assert left == [[f"sha256-{KEPT}", "unfinished-other"], [f"sha256-{KEPT}"]]
    assert [each.name for each in folder.roots.iterdir()] == [KEPT]
    assert (fresh.exists(), stale.exists()) == (True, False)


async def test_an_empty_folder_is_no_trouble(tmp_path: Path) -> None:
    """As at the first start of all."""
    folder = DataDir(tmp_path)
    with Database.open(folder.database) as database:
        unpacked = Unpacked(
            folder=folder,
            repositories=SqlRepositories(database),
            versions=SqlModels(database),
            weights=BesideInMemory({}),
        )
        assert await unpacked.put_aside() == []


@dataclass
class Running:
    """A platform's folder with layers of a version that is there and of one that is gone, and instances."""

    folder: DataDir
    weights: Artifact
    runs: set[str] = field(default_factory=set)
    quiet: Quiet = field(default_factory=Quiet)

    @property
    def files(self) -> WeightFiles:
        """The files of weights."""
        return WeightFiles(self.folder.weights)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Unpacked]:
        """Put everything there, and open what removes it."""
        _made(self.folder.layers / f"sha256-{KEPT}", self.folder.layers / f"sha256-{GONE}")
        self._weighed()
        with Database.open(self.folder.database) as database:
            models, repositories = SqlModels(database), SqlRepositories(database)
            await repositories.link_blob("ann/m", f"sha256:{KEPT}", 1)
            account = await SqlAccounts(database).add(
                NewAccount(
                    username="ann", name="A", type="user", is_admin=False, password_hash=None, created_at=NOW
                )
            )
            model = await models.add(
                NewModel(
                    owner_id=account.id,
                    name="m",
                    visibility=Visibility.PRIVATE,
                    hardware="cpu",
                    created_at=NOW,
                )
            )
            version = Version(id=KEPT, model="ann/m", created_at=NOW, cog_version="0", openapi_schema={})
            await models.add_version(model.id, version)
            yield Unpacked(
                folder=self.folder,
                repositories=repositories,
                versions=models,
                weights=BesideInMemory({KEPT: [self.weights]}),
                quiet=self.quiet,
                running=lambda: self.runs,
            )

    def _weighed(self) -> None:
        self.files.add([b"used"])
        used, unused = self.files.folder(self.weights.files), _weights(self.files, b"unused")
        before = time.time() - WEIGHTS_UNUSED.total_seconds() - 60
        for each in (used, unused):
            os.utime(each, (before, before))

    def left(self) -> tuple[list[str], int]:
        """Return the layers that are there, and how many sets of weights."""
        layers = sorted(each.name for each in self.folder.layers.iterdir())
        return layers, len(list((self.folder.weights / "sets").iterdir()))


@pytest.fixture
def running(tmp_path: Path) -> Running:
    """Return a folder."""
    weights, _store = import_weights(tmp_path / "import", {"net.bin": b"used"})
    return Running(folder=DataDir(tmp_path / "data"), weights=weights)


WHOLE = [f"sha256-{KEPT}", f"sha256-{GONE}"]


async def test_what_instances_run_stays(running: Running) -> None:
    """Layers by their version, which is there; weights, however long ago the instance asked for them."""
    async with running.opened() as unpacked:
        running.runs = {KEPT}
        await unpacked.sweep()
        assert running.left() == (WHOLE[:1], 1)
        running.runs = set()
        await unpacked.sweep()
        assert running.left() == (WHOLE[:1], 0)


async def test_nothing_goes_while_an_instance_outlives_its_version(running: Running) -> None:
    """What it uses isn't written down anywhere any more; once it has ended all goes."""
    async with running.opened() as unpacked:
        running.runs = {KEPT, GONE}
        await unpacked.sweep(pause=0)
        assert running.left() == (WHOLE, 2)
        running.runs = {KEPT}
        await unpacked.sweep(pause=0)
        assert running.left() == (WHOLE[:1], 1)


async def test_nothing_goes_while_an_instance_is_prepared(running: Running) -> None:
    """Of one that was pushed again a layer may have been found already; and it is not waited for."""
    async with running.opened() as unpacked:
        async with running.quiet.preparing():
            await unpacked.sweep(pause=0)
            assert running.left() == (WHOLE, 2)
        await unpacked.sweep(pause=0)
        assert running.left() == (WHOLE[:1], 0)
