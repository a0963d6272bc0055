"""Remove what was unpacked of images that are no more, when a platform starts: nothing runs yet that could use it.

What is to go is first put aside, by a name that nobody looks for; the bytes go afterwards, while the platform runs.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from cogyard.compose.datadir import DataDir
from cogyard.features.versions.ports import VersionStore
from cogyard.weights.files import WeightFiles

#: Weights that no instance has asked for so long are unpacked again when one does.
WEIGHTS_UNUSED = timedelta(days=30)
_AT_ONCE = 500
_log = logging.getLogger("cogyard.platform")


class Linked(Protocol):
    """Knows which blobs are still in a repository."""

    async def linked(self, digests: Sequence[str]) -> frozenset[str]:
        """Return which of the blobs any repository has."""
        ...


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """Layers, roots and weights that are unpacked in a data folder."""

    folder: DataDir
    repositories: Linked
    versions: VersionStore

    async def put_aside(self) -> list[Path]:
        """Put aside what nothing needs, and return where it is now; called before any instance is prepared."""
        found = [
            *await self._layers(self.folder.layers),
            *await self._layers(self.folder.image_layers),
            *await self._roots(),
        ]
        aside, freed = list[Path](), 0
        try:
            for place in found:
                aside.append(place.rename(place.with_name(f"unfinished-{uuid.uuid4().hex}")))
            older_than = WEIGHTS_UNUSED.total_seconds()
            weights = WeightFiles(self.folder.weights)
            freed = await asyncio.to_thread(weights.collect, frozenset[str](), older_than=older_than)
        except OSError:
            # Room that is not made keeps nobody from starting.
            _log.warning("unpacked not removed", exc_info=True, extra={"action": "unpacked_not_removed"})
        if aside or freed:
            fields = {"action": "unpacked_removed", "folders": len(aside), "weights_bytes": freed}
            _log.info("unpacked removed", extra=fields)
        return aside

    async def _layers(self, place: Path) -> list[Path]:
        folders = {each.name.replace("-", ":", 1): each for each in _folders(place, "sha256-*")}
        digests = list(folders)
        needed: set[str] = set()
        for start in range(0, len(digests), _AT_ONCE):
            needed |= await self.repositories.linked(digests[start : start + _AT_ONCE])
        return [folders[digest] for digest in digests if digest not in needed]

    async def _roots(self) -> list[Path]:
        roots = _folders(self.folder.roots, "[0-9a-f]*")
        return [each for each in roots if not await self.versions.with_id(each.name)]


def _folders(place: Path, pattern: str) -> list[Path]:
    return list(place.glob(pattern))


async def removed(places: Sequence[Path]) -> None:
    """Remove folders with all that is in them, one after the other; what cannot be removed stays for the next start."""
    for each in places:
        await asyncio.to_thread(shutil.rmtree, each, ignore_errors=True)
