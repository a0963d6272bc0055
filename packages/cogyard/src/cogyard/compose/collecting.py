"""Remove what no image uses any more: by the platform that runs, now and then, or by `cogyard gc`."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cogyard.blobs.local import LocalBlobs
from cogyard.blobs.uploads import LocalUploads
from cogyard.compose.administration import NeverStartedError
from cogyard.compose.datadir import DataDir, DataDirError, is_held
from cogyard.compose.parts import Kept
from cogyard.compose.upgrade import open_beside
from cogyard.registry.collection import LEAST_GRACE, Collected, collect
from cogyard.store.registry import SqlRepositories

EVERY = 3600.0
"""Seconds between collections of a platform that runs."""

_log = logging.getLogger("cogyard.registry")


class GraceTooShortError(DataDirError):
    """A platform runs, and pushes to it may be going on."""

    code = "grace_too_short"
    exit_status = 2


@dataclass(frozen=True, kw_only=True)
class ImageCollection:
    """What the running platform does."""

    kept: Kept
    grace: timedelta

    async def __call__(self) -> None:
        """Collect once, and log it when something went."""
        done = await collect(
            self.kept.repositories,
            self.kept.images,
            self.kept.uploads,
            now=datetime.now(UTC),
            grace=max(self.grace, LEAST_GRACE),
        )
        if done.links or done.blobs:
            _log.info("layers_collected", extra={"blobs": done.blobs, "bytes": done.size})


def collect_in(folder: DataDir, grace: timedelta) -> Collected:
    """Collect in a data folder, with its platform running or stopped; blocks.

    Raises NeverStartedError, GraceTooShortError for less than an hour while the platform runs, and the store's errors.
    """
    if not folder.exists():
        raise NeverStartedError(folder)
    running = is_held(folder)
    if running and grace < LEAST_GRACE:
        raise GraceTooShortError(
            f"The platform runs, so layers must have been unused for an hour at least, not {grace}.",
            hint="Stop it to remove what became unused just now, or say --older-than 1.",
        )
    with (
        open_beside(folder) as database,
        closing(LocalBlobs.open(folder.images, clean=not running)) as images,
    ):
        work = collect(
            SqlRepositories(database), images, LocalUploads(images), now=datetime.now(UTC), grace=grace
        )
        return asyncio.run(work)
