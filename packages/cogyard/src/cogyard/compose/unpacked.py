"""Remove what was unpacked of images that are no more: when a platform starts, and after each collection of blobs.

Theory of operation. What is to go is first put aside, by a name that nobody looks for; the bytes go afterwards. It is
put aside while nothing is being prepared (see `instances/quiet.py`). What instances run needs no list: a version that
there is has its layers in a repository, which keep what was unpacked of them. Only where an instance outlives its
version nothing is known of what it uses, and so nothing is removed until it has ended.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from cogyard.compose.datadir import DataDir
from cogyard.domain.deployables import version_of
from cogyard.features.versions.ports import VersionStore
from cogyard.instances.quiet import Quiet
from cogyard.instances.weights import BesideSource
from cogyard.weights.artifact import read_artifact
from cogyard.weights.errors import ArtifactInvalidError
from cogyard.weights.files import WeightFiles

#: Weights that no instance has asked for so long are unpacked again when one does.
WEIGHTS_UNUSED = timedelta(days=30)
#: How often one hour's sweep is tried, and after how many seconds again, when an instance is just being prepared.
TRIES, PAUSE = 10, 60.0
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
    weights: BesideSource
    quiet: Quiet = field(default_factory=Quiet)
    running: Callable[[], Iterable[str]] = tuple
    """What instances that live work for, those being prepared among them."""

    async def sweep(self, *, pause: float = PAUSE) -> None:
        """Remove what nothing needs; where that can't be known just now, after a pause of so many seconds."""
        for _ in range(TRIES):
            aside = await self.put_aside()
            if aside is not None:
                await removed(aside)
                return
            await asyncio.sleep(pause)

    async def put_aside(self) -> list[Path] | None:
        """Put aside what nothing needs, and return where it is now; None where that can't be known just now."""
        async with self.quiet.asked() as is_quiet:
            return await self._put_aside() if is_quiet else None

    async def _put_aside(self) -> list[Path] | None:
        found = [
            *await self._layers(self.folder.layers),
            *await self._layers(self.folder.image_layers),
            *await self._roots(),
        ]
        used = frozenset(map(version_of, self.running()))
        sets = await self._sets(used)
        # After the layers were looked at: a version that is here now was here then.
        if sets is None or not all([await self.versions.with_id(each) for each in used]):
            return None
        aside, freed = list[Path](), 0
        try:
            for place in found:
                aside.append(place.rename(place.with_name(f"unfinished-{uuid.uuid4().hex}")))
            older_than = WEIGHTS_UNUSED.total_seconds()
            weights = WeightFiles(self.folder.weights)
            freed = await asyncio.to_thread(weights.collect, sets, older_than=older_than)
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

    async def _sets(self, versions: Iterable[str]) -> frozenset[str] | None:
        """Return the sets of weights that versions run with; None where one can't be read any more."""
        try:
            documents = [each for version in versions for each in await self.weights.beside(version)]
            return frozenset(read_artifact(*each).set_digest for each in documents)
        except (ArtifactInvalidError, KeyError):
            return None

    async def _roots(self) -> list[Path]:
        roots = _folders(self.folder.roots, "[0-9a-f]*")
        return [each for each in roots if not await self.versions.with_id(each.name)]


def _folders(place: Path, pattern: str) -> list[Path]:
    return list(place.glob(pattern))


async def removed(places: Sequence[Path]) -> None:
    """Remove folders with all that is in them, one after the other; what cannot be removed stays for the next start."""
    for each in places:
        await asyncio.to_thread(shutil.rmtree, each, ignore_errors=True)
