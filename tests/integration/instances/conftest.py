"""What tests of sandboxes share: a model that does what it is told, and layers that are unpacked once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cogyard.testing.images import TestImage
from cogyard.testing.whole_images import make_whole_image

from tests.integration.instances.hostile import HOSTILE, SMALL, Live, live_instance
from tests.sandboxes import sandbox_runtime, supported


@pytest.fixture(scope="session")
def hostile() -> TestImage:
    """Make a model that does whatever its caller says."""
    supported()
    return make_whole_image(HOSTILE)


@pytest.fixture(scope="session")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep unpacked layers for all tests."""
    return tmp_path_factory.mktemp("layers")


@pytest.fixture
async def live(tmp_path: Path, hostile: TestImage, layers: Path) -> AsyncIterator[Live]:
    """Run the hostile model with small limits."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=SMALL)
    async with live_instance(runtime, hostile) as found:
        yield found
