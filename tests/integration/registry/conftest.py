"""A registry that really listens, over a folder and a database, with two people and a few models."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from cogyard.blobs.local import LocalBlobs
from cogyard.blobs.uploads import LocalUploads
from cogyard.registry.app import create_registry
from cogyard.store.database import Database
from cogyard.store.registry import SqlRepositories
from cogyard.testing.registry import People, RecordedPushes
from starlette.applications import Starlette
from starlette.routing import Mount


@dataclass(frozen=True)
class Running:
    """A registry and what stands behind it."""

    host: str
    """`127.0.0.1:PORT`."""
    folder: Path
    people: People
    pushes: RecordedPushes
    repositories: SqlRepositories
    blobs: LocalBlobs

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.host}"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Running]:
    """Run a registry of alice and bob."""
    with running(tmp_path) as found:
        yield found


class running:  # noqa: N801 - used as a function
    """Run a registry over a folder, until the end of the block; again over the same folder is a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Running:
        self._database = Database.open(self._folder / "platform.db")
        self._blobs = LocalBlobs.open(self._folder / "blobs")
        people, pushes = People(), RecordedPushes()
        for name in ("alice", "bob"):
            people.add(name)
        repositories = SqlRepositories(self._database)
        app = create_registry(
            blobs=self._blobs,
            uploads=LocalUploads(self._blobs),
            repositories=repositories,
            identity=people,
            access=people,
            pushes=pushes,
            secret="a secret of tests",
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            Starlette(routes=[Mount("/", app)]), log_level="warning", lifespan="off", access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        return Running(
            host=host,
            folder=self._folder,
            people=people,
            pushes=pushes,
            repositories=repositories,
            blobs=self._blobs,
        )

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
        self._blobs.close()
        self._database.close()
