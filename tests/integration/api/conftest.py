"""A platform for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cogyard.testing.api import ApiPlatform


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[ApiPlatform]:
    """Open a platform in a folder of the test's own."""
    async with ApiPlatform.open(tmp_path) as opened:
        yield opened
