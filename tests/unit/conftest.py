"""Unit tests are pure: no network, whatever a test tries."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket

# For a run by another Python, which has this file alone: the same rules, on fewer examples.
settings.register_profile(
    "other", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    # Unix sockets stay allowed: asyncio's own loop is made of a pair of them.
    disable_socket(allow_unix_socket=True)
