"""What was unpacked of images that are no more goes when a platform starts, and nothing else does."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cogyard.compose.datadir import DataDir
from cogyard.compose.unpacked import WEIGHTS_UNUSED, Unpacked, removed
from cogyard.domain.values import Version, Visibility
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.models.ports import NewModel
from cogyard.store.accounts import SqlAccounts
from cogyard.store.database import Database
from cogyard.store.models import SqlModels
from cogyard.store.registry import SqlRepositories
from cogyard.weights.artifact import WeightFile
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
        unpacked = Unpacked(folder=folder, repositories=repositories, versions=models)
        aside = await unpacked.put_aside()
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
            folder=folder, repositories=SqlRepositories(database), versions=SqlModels(database)
        )
        assert await unpacked.put_aside() == []
