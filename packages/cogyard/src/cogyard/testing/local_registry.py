"""A registry over a folder, without the rest of the platform, to run in tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from starlette.applications import Starlette
from starlette.routing import Mount

from cogyard.blobs.local import LocalBlobs
from cogyard.blobs.uploads import LocalUploads
from cogyard.registry.app import create_registry
from cogyard.registry.context import IDLE_SECONDS
from cogyard.store.database import Database
from cogyard.store.registry import SqlRepositories
from cogyard.testing.registry import People, RecordedPushes


@dataclass(frozen=True, kw_only=True)
class LocalRegistry:
    """A registry of alice and bob, and what stands behind it. Opened again on the same folder, it is a restart."""

    app: Starlette
    folder: Path
    people: People
    pushes: RecordedPushes
    repositories: SqlRepositories
    blobs: LocalBlobs
    database: Database

    @classmethod
    def open(cls, folder: Path, *, idle_seconds: float = IDLE_SECONDS) -> Self:
        """Use a folder, making what is not there."""
        database = Database.open(folder / "platform.db")
        blobs = LocalBlobs.open(folder / "blobs")
        repositories = SqlRepositories(database)
        people, pushes = People(), RecordedPushes()
        for name in ("alice", "bob"):
            people.add(name)
        registry = create_registry(
            blobs=blobs,
            uploads=LocalUploads(blobs),
            repositories=repositories,
            identity=people,
            access=people,
            pushes=pushes,
            idle_seconds=idle_seconds,
            secret="a secret of tests",  # noqa: S106 - as it says
        )
        return cls(
            app=Starlette(routes=[Mount("/", registry)]),
            folder=folder,
            people=people,
            pushes=pushes,
            repositories=repositories,
            blobs=blobs,
            database=database,
        )

    def close(self) -> None:
        """Close the folder; requests must have ended."""
        self.blobs.close()
        self.database.close()
