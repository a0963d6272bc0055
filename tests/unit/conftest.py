"""Unit tests are pure: no network, whatever a test tries."""

from __future__ import annotations

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    # Unix sockets stay allowed: asyncio's own loop is made of a pair of them.
    disable_socket(allow_unix_socket=True)
