"""A registry that really listens, over a folder and a database, with two people and a few models."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from cogyard.compose.zerocopy import ZeroCopy
from cogyard.testing.local_registry import LocalRegistry
from cogyard.testing.registry import People, RecordedPushes


@dataclass(frozen=True)
class Running:
    """A registry and what stands behind it."""

    host: str
    """`127.0.0.1:PORT`."""
    behind: LocalRegistry

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.host}"

    @property
    def people(self) -> People:
        """Accounts and models."""
        return self.behind.people

    @property
    def pushes(self) -> RecordedPushes:
        """What was told of."""
        return self.behind.pushes


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Running]:
    """Run a registry of alice and bob."""
    with running(tmp_path) as found:
        yield found


@contextmanager
def running(folder: Path, *, idle_seconds: float = 60, quota: int | None = None) -> Iterator[Running]:
    """Run a registry over a folder, until the end of the block; again over the same folder is a restart."""
    behind = LocalRegistry.open(folder, idle_seconds=idle_seconds, quota=quota)
    config = uvicorn.Config(ZeroCopy(behind.app), log_level="error", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        try:
            yield Running(f"127.0.0.1:{listening.getsockname()[1]}", behind)
        finally:
            server.should_exit = True
            thread.join(20)
            behind.close()
