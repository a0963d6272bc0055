"""Take back from Docker the images of versions that were deleted, while nothing is prepared of them or runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from cogyard.domain.deployables import version_of
from cogyard.engine import EngineError
from cogyard.features.versions.ports import VersionStore
from cogyard.instances.quiet import Quiet

_log = logging.getLogger("cogyard.platform")


class EngineImages(Protocol):
    """The images that this platform has given to an engine. Both block, and raise EngineError."""

    def given(self) -> frozenset[str]:
        """Return the versions of those that the engine has."""
        ...

    def take_back(self, version: str) -> bool:
        """Remove one; return whether it is gone: not while a container alone has it."""
        ...


@dataclass(frozen=True, kw_only=True)
class GivenImages:
    """What the running platform does now and then."""

    images: EngineImages
    versions: VersionStore
    quiet: Quiet
    running: Callable[[], Iterable[str]]
    """What instances that live work for, those being prepared among them."""

    async def sweep(self) -> int:
        """Take back what can be; return how many images. What is left is looked at again the next time."""
        try:
            found = sorted(await asyncio.to_thread(self.images.given))
            gone = sum([await self._take_back(each) for each in found])
        except EngineError as error:
            _log.warning("images not taken back", extra={"action": "images_kept", "reason": error.message})
            return 0
        if gone:
            _log.info("images taken back", extra={"action": "images_taken_back", "images": gone})
        return gone

    async def _take_back(self, version: str) -> bool:
        # Quiet for each alone: removing an image may take seconds, and preparations wait for it.
        async with self.quiet.asked() as is_quiet:
            if not is_quiet or version in map(version_of, self.running()):
                return False
            if await self.versions.with_id(version):
                return False
            return await asyncio.to_thread(self.images.take_back, version)
