"""A registry over a folder, without the rest of the platform, to run in tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from starlette.applications import Starlette
from starlette.routing import Mount

from cogyard.blobs.local import LocalBlobs
from cogyard.blobs.uploads import LocalUploads
from cogyard.registry.app import create_registry
from cogyard.registry.collection import Collected, collect
from cogyard.registry.context import IDLE_SECONDS
from cogyard.store.database import Database
from cogyard.store.registry import SqlRepositories
from cogyard.testing.database import open_database
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
    uploads: LocalUploads
    database: Database

    @classmethod
    def open(cls, folder: Path, *, idle_seconds: float = IDLE_SECONDS, quota: int | None = None) -> Self:
        """Use a folder, making what is not there."""
        database = open_database(folder / "platform.db")
        blobs = LocalBlobs.open(folder / "blobs")
        repositories, uploads = SqlRepositories(database), LocalUploads(blobs)
        people, pushes = People(), RecordedPushes()
        for name in ("alice", "bob"):
            people.add(name)
        registry = create_registry(
            blobs=blobs,
            uploads=uploads,
            quota=quota,
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
            uploads=uploads,
            database=database,
        )

    async def collect(self, *, now: datetime) -> Collected:
        """Remove what was unused for a day at a time."""
        return await collect(self.repositories, self.blobs, self.uploads, now=now)

    def close(self) -> None:
        """Close the folder; requests must have ended."""
        self.blobs.close()
        self.database.close()
