"""What every test relies on."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.docker import docker
from tests.live import live_platform

__all__ = ["docker", "live_platform"]

# How long an example takes says how loaded the machine is, and nothing about us.
settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded")

_LONGEST_ID = 200

ONCE = {"docker": "docker", "live_platform": "platform", "built": "built"}
"""What runs once in a session, and the group of the tests that share it: one worker takes them all."""
ONCE_A_MODULE = "shared_platform"
"""What runs once for each module that has it: those tests of the module are a group."""


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop the project runs on."""
    return "asyncio"


@pytest.hookimpl(wrapper=True)  # around xdist, which reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Put every test of a shared part into its group; a second worker would wait for the part, or start another."""
    for item in items:
        group = _group(item)
        if group is not None and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))
    yield
    grouped = [item for item in items if item.get_closest_marker("xdist_group")]
    if getattr(config.option, "loadgroup", False) and not all("@" in item.nodeid for item in grouped):
        raise pytest.UsageError("pytest-xdist does not group tests under this release of pytest")


def _group(item: pytest.Item) -> str | None:
    used = getattr(item, "fixturenames", ())
    shared = [group for fixture, group in ONCE.items() if fixture in used]
    return next(iter(shared), item.path.stem if ONCE_A_MODULE in used else None)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case that is bytes or a long text by its parameter and number.

    Its content can differ from process to process (a time in a gzip header), and xdist's workers must agree on names.
    """
    long = isinstance(val, (bytes, bytearray)) or (isinstance(val, str) and len(val) > _LONGEST_ID)
    return argname if long else None
