"""What every test relies on."""

from __future__ import annotations

import pytest

from tests.live import live_platform

__all__ = ["live_platform"]


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop the project runs on."""
    return "asyncio"
